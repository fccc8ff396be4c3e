/** Published when there may be something to deliver. */
export const deliveriesTopic = 'notification-deliveries';
