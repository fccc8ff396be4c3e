import type { IClientOptions, MqttClient } from 'mqtt';
import { cloudEventType } from '../cloud-event.ts';
import type { OpenTarget } from '../target.ts';
import type { Message, Sender } from './sender.ts';

/** MQTT 5.0, which says of each message whether the broker took it, and what kind of content it is. */
const protocolVersion = 5;
const keepaliveSeconds = 30;

/**
 * Publishes CloudEvents to a broker at QoS 1 in structured mode (CloudEvents 1.0, MQTT binding 3.2). A message is delivered
 * when the broker has acknowledged it. The connection is made for the first message; once it is lost, or a message was not
 * acknowledged in time, the next message makes another one. Nothing is queued here: what failed comes again from the outbox.
 */
export function mqttSender(target: OpenTarget): Sender {
  const { timeoutMs } = target.settings;
  let connection: Connection | null = null;
  const current = () => {
    if (connection === null || connection.isLost) connection = new Connection(target);
    return connection;
  };
  return {
    async send(message, signal) {
      const deadline = AbortSignal.timeout(timeoutMs);
      try {
        await current().publish(message, AbortSignal.any([deadline, signal]));
        return { outcome: 'delivered' };
      } catch (error) {
        const isLate = deadline.aborted && !signal.aborted;
        const reason = error instanceof Error ? error.message || error.name : String(error);
        const sentence = isLate ? `The broker did not answer within ${timeoutMs / 1000} s.` : `The broker: ${reason}.`;
        return { outcome: 'failed', error: sentence, waitMs: null };
      }
    },
    close: () => connection?.close(),
  };
}

/** One connection, from its making to its loss; it is never made again. */
class Connection {
  readonly #target: OpenTarget;
  readonly #client: Promise<MqttClient>;
  readonly #lost = new AbortController();

  constructor(target: OpenTarget) {
    this.#target = target;
    this.#client = this.#open();
    // Whoever waits for it is told; nobody may be waiting any more.
    this.#client.catch(() => {});
  }

  get isLost(): boolean {
    return this.#lost.signal.aborted;
  }

  /** Resolves when the broker has acknowledged the message. A signal that aborts before ends the connection. */
  async publish({ body }: Message, signal: AbortSignal): Promise<void> {
    const end = AbortSignal.any([signal, this.#lost.signal]);
    try {
      const client = await orAborted(this.#client, end);
      const properties = { contentType: cloudEventType, payloadFormatIndicator: true };
      const published = client.publishAsync(this.#target.settings.topic!, body, { qos: 1, properties });
      await orAborted(published, end);
    } catch (error) {
      // What comes after it on this connection would not be acknowledged either.
      if (signal.aborted) this.#lose(new Error('a message before it was not acknowledged'));
      throw error;
    }
  }

  close(): void {
    this.#lose(new Error('the server stops'));
  }

  async #open(): Promise<MqttClient> {
    const { default: mqtt } = await import('mqtt');
    const { url, timeoutMs, ca } = this.#target.settings;
    const { username, password } = this.#target.secrets;
    const options: IClientOptions = {
      protocolVersion,
      keepalive: keepaliveSeconds,
      connectTimeout: timeoutMs,
      // The outbox is what tries again.
      reconnectPeriod: 0,
      clean: true,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(ca === null ? {} : { ca }),
    };
    const client = mqtt.connect(url, options);
    const { promise, resolve, reject } = Promise.withResolvers<MqttClient>();
    client.once('connect', () => resolve(client));
    // Also long after it was made: an error that nobody hears would end the process.
    client.on('error', (error) => this.#lose(error));
    client.once('close', () => this.#lose(new Error('the connection was closed')));
    this.#lost.signal.addEventListener('abort', () => {
      reject(this.#lost.signal.reason);
      client.end(true);
    });
    if (this.isLost) client.end(true);
    return promise;
  }

  #lose(reason: Error): void {
    this.#lost.abort(reason);
  }
}

/** The result, or the reason of a signal that aborts before. Nothing stays behind on what lives longer. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
