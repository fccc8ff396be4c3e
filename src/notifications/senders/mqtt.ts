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
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    aborted.catch(() => {});
    const onAbort = () => {
      this.#lose(new Error('the connection was given up'));
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      const client = await Promise.race([this.#client, aborted]);
      const properties = { contentType: cloudEventType, payloadFormatIndicator: true };
      const published = client.publishAsync(this.#target.settings.topic!, body, { qos: 1, properties });
      published.catch(() => {});
      await Promise.race([published, aborted, this.#untilLost()]);
    } finally {
      signal.removeEventListener('abort', onAbort);
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

  #untilLost(): Promise<never> {
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {});
    const { signal } = this.#lost;
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    return promise;
  }
}
