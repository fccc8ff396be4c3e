import { Agent, request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { WrkRequest } from './wrk.ts';

/** What is sent at a fixed rate, whatever becomes of it. */
export interface OpenLoop {
  readonly url: string;
  readonly perSecond: number;
  /** The request of a number; its body is of `bodyBytes` zeros. */
  next(index: number): WrkRequest;
}

/**
 * Sends requests at their times until the signal aborts, each on a connection that is kept. Gives how long each took, in ms,
 * from the time at which it was to be sent: one that had to wait for others before it counts its wait. Throws when one fails.
 */
export async function openLoop({ url, perSecond, next }: OpenLoop, signal: AbortSignal): Promise<number[]> {
  const agent = new Agent({ keepAlive: true });
  const beganAt = performance.now();
  const took: number[] = [];
  const underWay = new Set<Promise<void>>();
  let failure: unknown = null;
  for (let index = 0; !signal.aborted && failure === null; index++) {
    const dueAt = beganAt + (index * 1_000) / perSecond;
    const restMs = dueAt - performance.now();
    if (restMs > 0) await delay(restMs);
    const sending = sendOne(agent, url, next(index))
      .then(
        () => void took.push(performance.now() - dueAt),
        (error: unknown) => void (failure = error),
      )
      .finally(() => underWay.delete(sending));
    underWay.add(sending);
  }
  await Promise.all(underWay);
  agent.destroy();
  if (failure !== null) throw failure;
  return took;
}

const timeoutMs = 60_000;

function sendOne(agent: Agent, url: string, { method, path, headers, bodyBytes }: WrkRequest): Promise<void> {
  return new Promise((resolve, reject) => {
    const length = bodyBytes === 0 ? {} : { 'content-length': bodyBytes };
    const options = { agent, method, headers: { ...headers, ...length }, timeout: timeoutMs };
    const sending = request(url + path, options, (response) => {
      response.resume();
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${method} ${path}: ${response.statusCode}`));
      });
    });
    sending.once('error', reject);
    sending.once('timeout', () => sending.destroy(new Error(`${method} ${path}: no answer in ${timeoutMs} ms`)));
    sending.end(bodyBytes === 0 ? undefined : Buffer.alloc(bodyBytes));
  });
}
