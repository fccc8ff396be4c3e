import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { passed } from '../image-rules.ts';
import { apiError, isErrorBody } from './api-error.ts';
import { type JsonObject, isObject, parseJson } from './json.ts';
import { type Credentials, type Parameters, signedRequest } from './signing.ts';

export interface ClientOptions extends Credentials {
  /** The API's address, such as `https://cloud.example/client/api`. */
  readonly url: string;
  /** Deadline of one request; the caller's signal may end it sooner. */
  readonly requestTimeoutMs?: number;
  /** The clock, in milliseconds since 1970. */
  readonly now?: () => number;
}

const requestTimeoutMsDefault = 20_000;
/** Servers can refuse requests that are good for longer than 15 minutes. */
const goodForMs = 10 * 60_000;
/** A page of 500 volumes with their tags has about 1 MiB. */
const answerBytesMax = 32 * 1024 * 1024;

/** The API of CloudStack: one signed POST a call. It keeps nothing between calls. */
export class CloudStackClient {
  readonly #options: ClientOptions;

  constructor(options: ClientOptions) {
    this.#options = options;
  }

  /** Where the API is, without what must not be shown. */
  get host(): string {
    return new URL(this.#options.url).host;
  }

  /**
   * Calls one command and gives what is inside the envelope of the answer.
   *
   * @param parameters with names in lower case
   * @throws HoldfastError CloudStack's refusal (see {@link apiError}), or `unavailable` when there was no answer: whether
   *   the command was carried out is unknown then.
   */
  async call(command: string, parameters: Parameters, signal: AbortSignal): Promise<JsonObject> {
    if (signal.aborted) throw passed(command);
    const { url, now = Date.now, requestTimeoutMs = requestTimeoutMsDefault } = this.#options;
    const body = signedRequest({ ...parameters, command }, this.#options, now() + goodForMs);
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]);
    let status: number;
    let text: string;
    try {
      const response = await fetch(url, { method: 'POST', body, signal: deadline, redirect: 'error' });
      status = response.status;
      text = await readBounded(response);
    } catch (error) {
      if (signal.aborted) throw passed(command);
      if (error instanceof HoldfastError) throw error;
      throw this.#lost(command, reasonOf(error, requestTimeoutMs), error);
    }
    return this.#open(command, status, text);
  }

  #open(command: string, status: number, text: string): JsonObject {
    let answer: unknown;
    try {
      answer = parseJson(text);
    } catch (error) {
      throw this.#lost(command, `the answer (HTTP ${status}) is no JSON`, error);
    }
    // The envelope is named after the command, and after nothing in particular for some errors.
    const envelope = isObject(answer) ? Object.values(answer).find(isObject) : undefined;
    if (envelope === undefined) throw this.#lost(command, `the answer (HTTP ${status}) has no envelope`);
    if (status >= 400 || isErrorBody(envelope)) throw apiError(command, envelope, status);
    return envelope;
  }

  #lost(command: string, reason: string, cause?: unknown): HoldfastError {
    const message = `CloudStack at ${this.host} gave no answer to ${command}: ${reason}.`;
    return new HoldfastError('unavailable', message, {}, cause);
  }
}

async function readBounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    bytes += part.byteLength;
    if (bytes > answerBytesMax) throw new HoldfastError('backend', 'An answer of CloudStack is larger than 32 MiB.');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

/** What went wrong on the way. `fetch` hides it in the cause. */
function reasonOf(error: unknown, timeoutMs: number): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return `nothing came within ${timeoutMs / 1000} s`;
  return error.cause instanceof Error ? error.cause.message : error.message;
}
