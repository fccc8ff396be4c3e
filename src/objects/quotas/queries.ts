import { HoldfastError } from '../../kernel/errors/errors.ts';
import type { Reader } from '../../kernel/store/store.ts';
import { requireUser } from '../access/queries.ts';
import { type QuotaBook, type QuotaRow, toBook, userSubject } from './quota.ts';

/** A quota with the name of its user. */
export interface NamedBook extends QuotaBook {
  readonly userName: string | null;
}

const named = `select q.*, u.name as user_name from quota_books q
  left join users u on q.subject like 'user:%' and u.id = substr(q.subject, 6)`;
type NamedRow = QuotaRow & { readonly user_name: string | null };

/** The subject that is meant by `bucket:NAME` or `user:ID-OR-NAME`. Throws `invalid`, and `not_found` for an unknown user. */
export async function resolveSubject(reader: Reader, reference: string): Promise<string> {
  const [, kind, name = ''] = /^(bucket|user):(.+)$/.exec(reference) ?? [];
  if (kind === undefined) {
    const message = 'A quota is of "bucket:NAME" or "user:NAME".';
    throw new HoldfastError('invalid', message, { field: 'subject', provided_value: reference.slice(0, 100) });
  }
  return kind === 'bucket' ? reference : userSubject((await requireUser(reader, name)).id);
}

/** A quota; `null` where there is none. */
export async function findBook(reader: Reader, subject: string): Promise<NamedBook | null> {
  const [row] = await reader.rows<NamedRow>(`${named} where q.subject = ?`, [subject]);
  return row === undefined ? null : toNamed(row);
}

/** Quotas in byte order of subjects, at most `limit`. */
export async function listBooks(
  reader: Reader,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<NamedBook[]> {
  const statement = `${named} where q.subject > ? order by q.subject limit ?`;
  return (await reader.rows<NamedRow>(statement, [after, limit])).map(toNamed);
}

const uncounted = 'select * from quota_books where counted_at is null order by subject limit ?';
const longest = 'select * from quota_books where counted_at < ? order by counted_at, subject limit ?';

/** Books that are not exact yet. */
export async function uncountedBooks(reader: Reader, limit: number): Promise<QuotaBook[]> {
  return (await reader.rows<QuotaRow>(uncounted, [limit])).map(toBook);
}

/** Books that were last counted before a time, longest ago first. */
export async function booksCountedBefore(reader: Reader, beforeMs: number, limit: number): Promise<QuotaBook[]> {
  return (await reader.rows<QuotaRow>(longest, [beforeMs, limit])).map(toBook);
}

function toNamed(row: NamedRow): NamedBook {
  return { ...toBook(row), userName: row.user_name };
}
