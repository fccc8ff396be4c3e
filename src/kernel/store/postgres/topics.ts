import pg from 'pg';
import { LocalTopics } from '../topics.ts';

const channel = 'holdfast';
const reconnectMs = 500;
/** NOTIFY takes a lock that all commits share, so wake-ups of this many milliseconds travel together. */
const gatherMs = 10;
const payloadsMax = 100;

/**
 * Wake-ups between replicas over LISTEN/NOTIFY. Local listeners hear at once; others within {@link gatherMs}. A lost
 * connection loses wake-ups and nothing else, since every reader polls as a net.
 */
export class PostgresTopics {
  readonly #local = new LocalTopics();
  readonly #config: pg.ClientConfig;
  readonly #pool: pg.Pool;
  readonly #onError: (error: Error) => void;
  readonly #self = Math.random().toString(36).slice(2);
  #gathered = new Set<string>();
  #gathering: NodeJS.Timeout | null = null;
  #client: pg.Client | null = null;
  #reconnecting: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(config: pg.ClientConfig, pool: pg.Pool, onError: (error: Error) => void) {
    this.#config = config;
    this.#pool = pool;
    this.#onError = onError;
    void this.#listen();
  }

  publish(topic: string, payload: string): void {
    this.#local.publish(topic, payload);
    // Past the bound the payloads are dropped; a poll finds what they told of.
    if (this.#gathered.size < payloadsMax) this.#gathered.add(`${this.#self} ${topic} ${payload}`);
    this.#gathering ??= setTimeout(() => void this.#send(), gatherMs).unref();
  }

  subscribe(topic: string, listener: (payload: string) => void): () => void {
    return this.#local.subscribe(topic, listener);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#reconnecting !== null) clearTimeout(this.#reconnecting);
    if (this.#gathering !== null) clearTimeout(this.#gathering);
    await this.#send();
    await this.#client?.end().catch(() => {});
  }

  async #send(): Promise<void> {
    this.#gathering = null;
    const gathered = [...this.#gathered];
    this.#gathered = new Set();
    if (gathered.length === 0) return;
    await this.#pool
      .query('select pg_notify($1, message) from unnest($2::text[]) as message', [channel, gathered])
      .catch((error: Error) => this.#onError(error));
  }

  async #listen(): Promise<void> {
    this.#reconnecting = null;
    // A listening connection is idle by nature; a query timeout would not fit it.
    const client = new pg.Client({ ...this.#config, query_timeout: 0 } as pg.ClientConfig);
    let isLost = false;
    const retry = (error?: Error) => {
      if (isLost || this.#isClosed) return;
      isLost = true;
      if (error !== undefined) this.#onError(error);
      client.end().catch(() => {});
      this.#reconnecting = setTimeout(() => void this.#listen(), reconnectMs).unref();
    };
    client.on('error', retry);
    client.on('end', () => retry());
    client.on('notification', ({ payload }) => this.#hear(payload ?? ''));
    try {
      await client.connect();
      await client.query(`listen ${channel}`);
      this.#client = client;
      if (this.#isClosed) await client.end();
    } catch (error) {
      retry(error as Error);
    }
  }

  #hear(message: string): void {
    const [sender, topic, ...payload] = message.split(' ');
    if (sender === this.#self || topic === undefined) return;
    this.#local.publish(topic, payload.join(' '));
  }
}
