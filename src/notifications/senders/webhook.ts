import type { Clock } from '../../kernel/ids.ts';
import { cloudEventType } from '../cloud-event.ts';
import type { OpenTarget } from '../target.ts';
import type { Sender, Sent } from './sender.ts';
import { signatureHeaders } from './signature.ts';

/** What is read of an answer, to be told when it is an error. */
const answerBytesMax = 1_024;
/** What is read of the answer to a message that was taken. */
const restBytesMax = 65_536;
/** How long an answer is read whose headers have said it all. */
const patienceMs = 500;
const userAgent = 'Holdfast';

/**
 * Sends CloudEvents by HTTP POST in structured mode (CloudEvents 1.0, HTTP binding 3.2), signed. Success is any 2xx. It
 * follows no redirect: a receiver that has moved is changed by who owns the target. 410 ends the target
 * (CloudEvents web hooks 1.0, 2.2), and 429 and 503 are left alone for as long as their `Retry-After` says.
 */
export function webhookSender(target: OpenTarget, clock: Clock): Sender {
  const { settings, secrets } = target;
  return {
    async send(message, signal) {
      const deadline = AbortSignal.timeout(settings.timeoutMs);
      try {
        const response = await fetch(settings.url, {
          method: 'POST',
          redirect: 'manual',
          headers: {
            'user-agent': userAgent,
            ...secrets.headers,
            'content-type': `${cloudEventType}; charset=utf-8`,
            ...signatureHeaders(secrets.secret!, message, clock.nowMs()),
          },
          body: message.body,
          signal: AbortSignal.any([deadline, signal]),
        });
        return await toSent(response, clock.nowMs());
      } catch (error) {
        const isLate = deadline.aborted && !signal.aborted;
        return failed(isLate ? `There was no answer within ${settings.timeoutMs / 1000} s.` : reasonOf(error));
      }
    },
    close: () => {},
  };
}

async function toSent(response: Response, nowMs: number): Promise<Sent> {
  const { status } = response;
  if (status >= 200 && status < 300) {
    // Read, so that the connection can be used again.
    await beginningOf(response, restBytesMax);
    return { outcome: 'delivered' };
  }
  const text = (await beginningOf(response, answerBytesMax))
    .toString()
    .replaceAll(/[\p{C}\s]+/gu, ' ')
    .trim();
  const error = `The receiver answered ${status}${redirectOf(response)}${text === '' ? '.' : `: ${text}`}`;
  if (status === 410) return { outcome: 'gone', error };
  const isBusy = status === 429 || status === 503;
  return failed(error, isBusy ? parseRetryAfter(response.headers.get('retry-after'), nowMs) : null);
}

function redirectOf(response: Response): string {
  return response.status >= 300 && response.status < 400 ? ', and redirects are not followed' : '';
}

/** What comes of a body within bounds. What breaks or hangs has said its status already, and that counts. */
async function beginningOf(response: Response, bytesMax: number): Promise<Buffer> {
  if (response.body === null) return Buffer.alloc(0);
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader();
  const giveUp = () => void reader.cancel().catch(() => {});
  const timer = setTimeout(giveUp, patienceMs);
  const chunks: Uint8Array[] = [];
  for (let size = 0; size < bytesMax;) {
    const { value } = await reader.read().catch(() => ({ value: undefined }));
    if (value === undefined) break;
    chunks.push(value);
    size += value.length;
  }
  clearTimeout(timer);
  giveUp();
  return Buffer.concat(chunks).subarray(0, bytesMax);
}

/** `Retry-After` in ms from now (RFC 9110, 10.2.3): seconds, or a date; `null` for anything else. */
export function parseRetryAfter(text: string | null, nowMs: number): number | null {
  if (text === null) return null;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - nowMs);
}

function failed(error: string, waitMs: number | null = null): Sent {
  return { outcome: 'failed', error, waitMs };
}

/** What `fetch` throws says little; its cause says what happened. */
function reasonOf(error: unknown): string {
  const { cause } = error as { readonly cause?: { readonly code?: string; readonly message?: string } };
  const reason = cause?.message || cause?.code || (error instanceof Error ? error.message : String(error));
  return `The receiver cannot be reached: ${reason}.`;
}
