import { HoldfastError } from './kernel/errors/errors.ts';

/** Codes of a server that is not there (Node.js, its `fetch`, and the operating system have their own names). */
const absent =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT|EADDRNOTAVAIL)$/;
const notTls = /^(EPROTO|ERR_SSL_WRONG_VERSION_NUMBER|ERR_SSL_PACKET_LENGTH_TOO_LONG)$/;
const badCertificate = /CERT|UNABLE_TO_VERIFY/;

/**
 * Why there is no answer, as a sentence that says what to do. `details.connection` is `broken` where the same request may
 * do better, because the server was there before, and `absent` else.
 */
export function noAnswer(url: string, error: unknown, hasAnswered = false): HoldfastError {
  const { code, message } = rootOf(error);
  const because = (sentence: string, connection: 'absent' | 'broken') =>
    new HoldfastError('unavailable', sentence, { connection }, error);
  if (badCertificate.test(code)) {
    const remedy = 'name the authority that signed it in NODE_EXTRA_CA_CERTS';
    return because(`The certificate of ${url} is not accepted (${code}): ${remedy}.`, 'absent');
  }
  if (notTls.test(code)) return because(`What answers at ${url} does not speak TLS: write http:// instead.`, 'absent');
  if (absent.test(code)) {
    const sentence = `There is no answer from ${url}. Is the server running ("holdfast serve")?`;
    return because(sentence, hasAnswered ? 'broken' : 'absent');
  }
  return because(`The connection to ${url} broke: ${message}.`, 'broken');
}

/** What `fetch` and several addresses tried in turn have wrapped. */
function rootOf(error: unknown): { readonly code: string; readonly message: string } {
  const { code, cause, errors, message } = error as NodeJS.ErrnoException & { cause?: unknown; errors?: unknown[] };
  const inner = cause ?? errors?.[0];
  if (code === undefined && inner !== undefined) return rootOf(inner);
  return { code: code ?? '', message: message ?? String(error) };
}
