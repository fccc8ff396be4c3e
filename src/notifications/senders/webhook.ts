import type { Clock } from '../../kernel/ids.ts';
import { cloudEventType } from '../cloud-event.ts';
import type { OpenTarget } from '../target.ts';
import type { Sender, Sent } from './sender.ts';
import { signatureHeaders } from './signature.ts';

/** What is read of an answer, to be told when it is an error. */
const answerBytesMax = 1_024;
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
    // The answer's end is awaited in vain by nobody: its headers have said that the message was taken.
    await response.body?.cancel().catch(() => {});
    return { outcome: 'delivered' };
  }
  const text = await beginningOf(response);
  const error = `The receiver answered ${status}${redirectOf(response)}${text === '' ? '.' : `: ${text}`}`;
  if (status === 410) return { outcome: 'gone', error };
  const isBusy = status === 429 || status === 503;
  return failed(error, isBusy ? parseRetryAfter(response.headers.get('retry-after'), nowMs) : null);
}

function redirectOf(response: Response): string {
  return response.status >= 300 && response.status < 400 ? ', and redirects are not followed' : '';
}

/** The beginning of a body as one line, bounded in bytes; the deadline of the request bounds its time. */
async function beginningOf(response: Response): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= answerBytesMax) break;
  }
  const text = Buffer.concat(chunks).subarray(0, answerBytesMax).toString();
  return text.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
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
