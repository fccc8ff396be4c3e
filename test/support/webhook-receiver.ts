import { createHmac, timingSafeEqual } from 'node:crypto';
import { type IncomingHttpHeaders, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A CloudEvent in JSON, as it came. */
export interface ReceivedEvent {
  readonly specversion: string;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly subject: string;
  readonly time: string;
  readonly datacontenttype: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Received {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** By which one connection is told from another. */
  readonly peerPort: number | undefined;
  readonly body: string;
  readonly event: ReceivedEvent;
}

/** Answers a message, or leaves it without an answer. */
export type Answering = (received: Received, response: ServerResponse) => void;

/** A receiver of webhooks on loopback that answers as a test wants it to. */
export interface WebhookReceiver extends AsyncDisposable {
  readonly url: string;
  /** All that came, whatever was answered. */
  readonly received: readonly Received[];
  /** From here on. */
  answer: Answering;
}

/** Answers with a status, and with headers. */
export function status(code: number, headers: Readonly<Record<string, string>> = {}, body = ''): Answering {
  return (_received, response) => void response.writeHead(code, headers).end(body);
}

export async function webhookReceiver(answer: Answering = status(204)): Promise<WebhookReceiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk: string) => (body += chunk));
    request.on('end', () => {
      const event = body === '' ? ({} as ReceivedEvent) : (JSON.parse(body) as ReceivedEvent);
      const one = {
        path: request.url ?? '',
        headers: request.headers,
        peerPort: request.socket.remotePort,
        body,
        event,
      };
      received.push(one);
      receiver.answer(one, response);
    });
    request.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const receiver: WebhookReceiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    answer,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return receiver;
}

/** As a receiver checks where a message comes from. */
export function isGenuine(secret: string, { headers, body }: Pick<Received, 'headers' | 'body'>): boolean {
  const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': given } = headers;
  if (Math.abs(Date.now() / 1000 - Number(time)) > 300) return false;
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const wanted = `v1,${createHmac('sha256', key)
    .update(`${String(id)}.${String(time)}.${body}`)
    .digest('base64')}`;
  const [one, other] = [Buffer.from(String(given)), Buffer.from(wanted)];
  return one.length === other.length && timingSafeEqual(one, other);
}
