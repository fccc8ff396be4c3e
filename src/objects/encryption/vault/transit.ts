import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { HttpClient } from '../../backends/http/client.ts';
import { type RootKey, notWrappedBy } from '../root-key.ts';

export interface TransitOptions {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Where the engine is mounted, such as `transit`. */
  readonly mount: string;
  readonly tokenFile: string;
  /** The authority of its certificate as PEM; `null`: those that Node.js knows. */
  readonly ca: Buffer | null;
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 10_000;
const answerBytesMax = 65_536;
const tokenBytesMax = 4_096;

/**
 * The two calls of Vault's Transit engine that root keys need
 * (https://developer.hashicorp.com/vault/api-docs/secret/transit): encrypt and decrypt. The key never leaves Vault. The token
 * is read from its file for each call, since whoever renews it replaces the file.
 */
export class TransitClient {
  readonly #options: TransitOptions;
  readonly #who: string;
  readonly #http: HttpClient;

  constructor(options: TransitOptions) {
    this.#options = options;
    this.#who = `Vault at ${new URL(options.origin).host}`;
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    this.#http = new HttpClient({
      origin: options.origin,
      who: this.#who,
      authorization: null,
      connectTimeoutMs: timeoutMs,
      idleTimeoutMs: timeoutMs,
      connectionsMax: 4,
      ...(options.ca === null ? {} : { ca: options.ca }),
    });
  }

  /** For people: `Vault at vault.example:8200`. */
  get who(): string {
    return this.#who;
  }

  /** Encrypts with the newest version of a key; gives a text such as `vault:v1:…`. */
  async encrypt(key: string, plaintext: Buffer): Promise<string> {
    const { ciphertext } = await this.#call('encrypt', key, { plaintext: plaintext.toString('base64') });
    if (typeof ciphertext === 'string' && ciphertext.startsWith('vault:v')) return ciphertext;
    throw this.#refused(`answered without a ciphertext for the key ${key}`);
  }

  /** Throws `invalid` for what this key did not encrypt. */
  async decrypt(key: string, ciphertext: string): Promise<Buffer> {
    const { plaintext } = await this.#call('decrypt', key, { ciphertext });
    if (typeof plaintext === 'string') return Buffer.from(plaintext, 'base64');
    throw this.#refused(`answered without a plaintext for the key ${key}`);
  }

  async #call(verb: 'encrypt' | 'decrypt', key: string, body: object): Promise<Record<string, unknown>> {
    const { mount, timeoutMs = defaultTimeoutMs } = this.#options;
    const place = mount.split('/').map(encodeURIComponent).join('/');
    const signal = AbortSignal.timeout(timeoutMs);
    const headers = {
      'content-type': 'application/json',
      'x-vault-token': await this.#token(),
      'x-vault-request': 'true',
    };
    const path = `/v1/${place}/${verb}/${encodeURIComponent(key)}`;
    let status: number;
    let text: string;
    try {
      const reply = await this.#http.request({
        method: 'POST',
        path,
        headers,
        body: Buffer.from(JSON.stringify(body)),
        signal,
      });
      status = reply.status;
      text = await reply.text(answerBytesMax);
    } catch (error) {
      const reason = signal.aborted ? `it did not answer within ${timeoutMs} ms` : reasonOf(error);
      throw new HoldfastError('unavailable', `${this.#who} cannot be asked: ${reason}.`, {}, error);
    }
    const answer = parse(text);
    if (status === 200) return (answer['data'] ?? {}) as Record<string, unknown>;
    throw this.#failure(status, answer, verb, key);
  }

  /** What Vault says of itself in a refusal is for people: it holds no secret. */
  #failure(status: number, answer: Record<string, unknown>, verb: string, key: string): HoldfastError {
    const errors = Array.isArray(answer['errors']) ? answer['errors'].map(String).join('; ').slice(0, 300) : '';
    if (status === 503) return this.#refused('is sealed or in maintenance (503)');
    if (status === 403) return this.#refused(`does not let this token ${verb} with the key ${key} (403)`);
    if (status === 400 && verb === 'decrypt') {
      return new HoldfastError('invalid', `${this.#who} cannot decrypt with the key ${key}: ${errors}.`, { status });
    }
    return this.#refused(`answered ${verb} with ${status}${errors === '' ? '' : `: ${errors}`}`);
  }

  #refused(what: string): HoldfastError {
    return new HoldfastError('unavailable', `${this.#who} ${what}.`);
  }

  async #token(): Promise<string> {
    const { tokenFile } = this.#options;
    let token: string;
    try {
      token = (await readFile(tokenFile, 'utf8')).slice(0, tokenBytesMax).trim();
    } catch (error) {
      throw new HoldfastError(
        'unavailable',
        `The token file ${tokenFile} cannot be read: ${reasonOf(error)}.`,
        {},
        error,
      );
    }
    if (/^[\x21-\x7e]+$/.test(token)) return token;
    throw new HoldfastError('unavailable', `The token file ${tokenFile} holds no token.`);
  }
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.replace(/\.$/, '') : String(error);
}

/** A root key that Vault keeps. The id of what it wraps stands in the plaintext, since older Vaults bind no other data. */
export function transitRootKey(client: TransitClient, id: string, name: string): RootKey {
  const origin = `${client.who}, key ${name}`;
  return {
    id,
    origin,
    wrap: (kek, kekId) => client.encrypt(name, Buffer.concat([Buffer.from(`${kekId}\n`), kek])),
    async unwrap(wrapped, kekId) {
      const plain = await client.decrypt(name, wrapped).catch((error: unknown) => {
        throw (error as HoldfastError).kind === 'invalid' ? notWrappedBy(id, origin, kekId, error) : error;
      });
      const head = Buffer.from(`${kekId}\n`);
      if (plain.length !== head.length + 32 || !plain.subarray(0, head.length).equals(head)) {
        throw notWrappedBy(id, origin, kekId);
      }
      return plain.subarray(head.length);
    },
  };
}
