import { HoldfastError } from '../errors/errors.ts';
import { decodeCursor, page } from '../http/cursor.ts';
import { Reply, type Route, route } from '../http/server.ts';
import type { SseStream, SseStreams } from '../http/sse.ts';
import type { Store } from '../store/store.ts';
import { operationContract } from './contract.ts';
import { type Engine, operationsTopic } from './engine.ts';
import type { Operation } from './operation.ts';
import { getOperation, getSteps, listOperations } from './queries.ts';
import type { Accepted } from './start.ts';
import { acceptedView, operationView } from './view.ts';

const watchPollMs = 1_000;

/** The API of operations. */
export function operationRoutes(store: Store, engine: Engine, streams: SseStreams): Route[] {
  async function require(id: string): Promise<Operation> {
    const operation = await store.read((reader) => getOperation(reader, id));
    if (operation === null) throw new HoldfastError('not_found', `There is no operation ${id}.`);
    return operation;
  }
  return [
    route(operationContract.listOperations, async ({ query }) => {
      const limit = query.limit ?? 100;
      const resource = query.volume_id === undefined ? undefined : `volume:${query.volume_id}`;
      const filter = {
        kind: query.type,
        status: query.status,
        resource,
        beforeId: decodeCursor(query.cursor),
        limit: limit + 1,
      };
      const rows = await store.read((reader) => listOperations(reader, filter));
      return page(
        rows,
        limit,
        ({ id }) => id,
        (row) => operationView(row),
      );
    }),
    route(operationContract.getOperation, async ({ params }) => {
      const operation = await require(params.id);
      return operationView(operation, await store.read((reader) => getSteps(reader, params.id)));
    }),
    route(operationContract.cancelOperation, async ({ params }) => operationView(await engine.cancel(params.id))),
    route(operationContract.watchOperation, async ({ params, reply }) => {
      await require(params.id);
      watch(store, params.id, (onClose) => streams.open(reply, onClose));
      return undefined as never;
    }),
  ];
}

/** Sends the operation whenever it has changed; changes that come together are told together. */
function watch(store: Store, id: string, open: (onClose: () => void) => SseStream): void {
  let sentVersion = -1;
  let isReading = false;
  let isWanted = false;
  const unsubscribe = store.subscribe(operationsTopic, (changed) => {
    if (changed === id) void look();
  });
  const timer = setInterval(() => void look(), watchPollMs).unref();
  const stream = open(() => {
    unsubscribe();
    clearInterval(timer);
  });
  async function look(): Promise<void> {
    isWanted = true;
    if (isReading) return;
    isReading = true;
    try {
      while (isWanted && !stream.isOver) {
        isWanted = false;
        await send();
      }
    } catch {
      // The store is away for a moment; the next poll looks again.
    } finally {
      isReading = false;
    }
  }
  async function send(): Promise<void> {
    const operation = await store.read((reader) => getOperation(reader, id));
    if (operation === null) return stream.end();
    const steps = await store.read((reader) => getSteps(reader, id));
    const version = steps.reduce((sum, { attempts }) => sum + 1 + attempts, operation.version);
    if (version === sentVersion) return;
    sentVersion = version;
    const data = operationView(operation, steps);
    stream.send({ id: String(version), data });
    if (operation.finishedAtMs === null) return;
    stream.send({ event: 'done', data });
    stream.end();
  }
  void look();
}

/** The answer to a request that started an operation, or that another one fulfils. */
export function acceptedReply(result: Accepted): Reply<ReturnType<typeof acceptedView>> {
  const headers = { location: `/api/v1/operations/${result.id}` };
  return new Reply(acceptedView(result), result.isReplay ? { ...headers, 'idempotent-replayed': 'true' } : headers);
}
