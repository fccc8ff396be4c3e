import { type ErrorKind, HoldfastError } from '../../../kernel/errors/errors.ts';
import { type JsonObject, integerIn, textIn } from './json.ts';

/**
 * What the error codes of CloudStack (`ApiErrorCode`, which are also the HTTP status) mean here. A refusal that repeats
 * as long as nothing changes is a `conflict`; what may pass by itself is `backend` or `unavailable` and is tried again.
 */
const kindOfCode: Readonly<Record<number, ErrorKind>> = {
  401: 'backend', // the keys or the signature
  405: 'unsupported',
  429: 'unavailable', // too many requests
  430: 'invalid', // malformed
  431: 'conflict', // a parameter, which is most often the state of what it names
  432: 'unsupported',
  500: 'backend',
  503: 'unavailable',
  530: 'backend', // internal
  531: 'conflict', // the account may not
  532: 'conflict', // a resource limit
  533: 'backend', // capacity
  534: 'unavailable',
  535: 'backend', // allocation
  536: 'conflict', // in use
  537: 'conflict', // a rule
};

const textLengthMax = 2_000;

/** Whether an answer, or a job's result, tells of an error. */
export function isErrorBody(body: JsonObject): boolean {
  return textIn(body, 'errortext') !== null || integerIn(body, 'errorcode') !== null;
}

/**
 * CloudStack's refusal as an error of ours: its text is passed through, with its code in the details, and it is told to
 * API users as 422 unless the outcome is unknown.
 */
export function apiError(command: string, body: JsonObject, status = 0, jobId?: string): HoldfastError {
  const code = integerIn(body, 'errorcode') ?? status;
  const text = (textIn(body, 'errortext') ?? 'no reason was given').slice(0, textLengthMax);
  const csCode = integerIn(body, 'cserrorcode');
  const kind = isUnknownId(text) ? 'not_found' : (kindOfCode[code] ?? 'backend');
  const details = {
    ...(kind === 'unavailable' ? {} : { http_status: 422, http_code: 'CLOUDSTACK_ERROR' }),
    cloudstack_command: command,
    cloudstack_error_code: code,
    cloudstack_message: text,
    ...(csCode === null ? {} : { cloudstack_cs_error_code: csCode }),
    ...(jobId === undefined ? {} : { cloudstack_job_id: jobId }),
  };
  return new HoldfastError(kind, `CloudStack refused ${command} (${code}): ${text.replace(/[.\s]*$/, '')}.`, details);
}

/** Whether the error says that CloudStack does not know an id that was named. */
export function isUnknownEntity(error: unknown): boolean {
  if (!(error instanceof HoldfastError)) return false;
  const text = error.details['cloudstack_message'];
  return typeof text === 'string' && isUnknownId(text);
}

function isUnknownId(text: string): boolean {
  return text.includes('entity does not exist') || /^Unable to find (a )?(volume|snapshot)\b/i.test(text);
}
