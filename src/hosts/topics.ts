/** Says that there is work for a host; its id is told. */
export const hostWorkTopic = 'host-work';
/** Says that work has ended; its id is told. */
export const hostResultTopic = 'host-result';
/** Says that a host sees something else now; the section is told. */
export const hostReportTopic = 'host-report';
