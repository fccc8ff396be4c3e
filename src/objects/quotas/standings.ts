import type { Reader } from '../../kernel/store/store.ts';

/** What has a limit: `bytes` and `objects` that stand, and what is used in a month. */
export const capacityMeters = ['bytes', 'objects', 'requests', 'ingress', 'egress'] as const;
export type CapacityMeter = (typeof capacityMeters)[number];

/** How much of something is used, and may be; `null` where nobody counts, and without a limit. */
export interface Gauge {
  readonly meter: CapacityMeter;
  readonly used: number | null;
  readonly maximum: number | null;
}

/** What a backend, bucket or user uses. */
export interface Standing {
  /** `backend:NAME`, `bucket:NAME` or `user:ID`. */
  readonly subject: string;
  readonly userName: string | null;
  /** In the order of {@link capacityMeters}. */
  readonly gauges: readonly Gauge[];
}

interface Row {
  readonly subject: string;
  readonly user_name: string | null;
  readonly used_bytes: number | string | null;
  readonly bytes_max: number | null;
  readonly used_objects: number | null;
  readonly objects_max: number | null;
  readonly requests: number | null;
  readonly month_requests_max: number | null;
  readonly ingress_bytes: number | null;
  readonly month_ingress_bytes_max: number | null;
  readonly egress_bytes: number | null;
  readonly month_egress_bytes_max: number | null;
}

const limits = 'month_requests_max, month_ingress_bytes_max, month_egress_bytes_max';
const traffic = `coalesce(u.requests, 0) as requests, coalesce(u.ingress_bytes, 0) as ingress_bytes,
  coalesce(u.egress_bytes, 0) as egress_bytes`;
const ofBackends = `select 'backend:' || b.name as subject, b.quota_bytes as bytes_max, ${limits}, ${traffic},
    (select coalesce(sum(s.used_bytes), 0) from backend_stripes s where s.backend = b.name) as used_bytes
  from object_backends b left join backend_usage u on u.backend = b.name and u.month = ?`;
const ofLimited = `select q.subject, q.bytes_max, q.objects_max, ${limits}, q.used_bytes, q.used_objects, ${traffic}
  from quota_books q left join subject_usage u on u.subject = q.subject and u.month = ?`;
const ofSubjects = `select s.subject, n.name as user_name, q.bytes_max, q.objects_max, ${limits}, q.used_bytes,
    q.used_objects, ${traffic}
  from (select subject from quota_books union select subject from subject_usage where month = ?) s
    left join quota_books q on q.subject = s.subject
    left join subject_usage u on u.subject = s.subject and u.month = ?
    left join users n on s.subject like 'user:%' and n.id = substr(s.subject, 6)
  where s.subject > ? order by s.subject limit ?`;

/** All backends in a month, in byte order of subjects. */
export async function backendStandings(reader: Reader, month: string): Promise<Standing[]> {
  const rows = await reader.rows<Row>(ofBackends, [month]);
  return rows.map(toStanding).sort((a, b) => (a.subject < b.subject ? -1 : 1));
}

/** All that have a quota, in a month. There are at most as many as there may be quotas. */
export async function limitedStandings(reader: Reader, month: string): Promise<Standing[]> {
  return (await reader.rows<Row>(ofLimited, [month])).map(toStanding);
}

/** Backends, and buckets and users with a quota or traffic in this month, in byte order of subjects. */
export async function listStandings(
  reader: Reader,
  { month, after, limit }: { readonly month: string; readonly after: string; readonly limit: number },
): Promise<Standing[]> {
  const backends = (await backendStandings(reader, month)).filter(({ subject }) => subject > after);
  // `backend:` comes before `bucket:` and `user:`.
  const others = await reader.rows<Row>(ofSubjects, [month, month, after, limit]);
  return [...backends, ...others.map(toStanding)].slice(0, limit);
}

function toStanding(row: Partial<Row> & Pick<Row, 'subject'>): Standing {
  const gauge = (
    meter: CapacityMeter,
    used: number | string | null | undefined,
    maximum: number | null | undefined,
  ) => ({
    meter,
    used: used === null || used === undefined ? null : Number(used),
    maximum: maximum ?? null,
  });
  return {
    subject: row.subject,
    userName: row.user_name ?? null,
    gauges: [
      gauge('bytes', row.used_bytes, row.bytes_max),
      gauge('objects', row.used_objects, row.objects_max),
      gauge('requests', row.requests, row.month_requests_max),
      gauge('ingress', row.ingress_bytes, row.month_ingress_bytes_max),
      gauge('egress', row.egress_bytes, row.month_egress_bytes_max),
    ],
  };
}

/** How much of a limit is used, as a share; `null` without a limit. A limit of nothing is used up. */
export function shareOf({ used, maximum }: Gauge): number | null {
  if (used === null || maximum === null) return null;
  return maximum === 0 ? 1 : used / maximum;
}
