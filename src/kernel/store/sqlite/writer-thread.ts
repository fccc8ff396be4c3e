import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { toErrorData } from '../../errors/errors.ts';
import { TransactionLoader } from '../transaction.ts';
import { BatchWriter, type WriteReply, type WriteRequest } from './batch-writer.ts';
import { SqliteDatabase } from './database.ts';

/** How many transactions may share one commit; more would only make the first of them wait. */
const batchSizeMax = 512;

/**
 * The thread that owns the one write connection, so that neither an fsync nor a slow statement stops the event loop that
 * serves requests. Everything that arrived while a commit was under way shares the next one.
 */
function serve(port: NonNullable<typeof parentPort>, path: string): void {
  const database = new SqliteDatabase(path);
  const writer = new BatchWriter(database, new TransactionLoader());
  const waiting: WriteRequest[] = [];
  let isRunning = false;
  let isClosing = false;

  async function drain(): Promise<void> {
    isRunning = true;
    try {
      while (waiting.length > 0) {
        for (let more = receiveMessageOnPort(port); more !== undefined; more = receiveMessageOnPort(port)) {
          accept(more.message as Message);
        }
        answer(await writer.run(waiting.splice(0, batchSizeMax)));
      }
    } finally {
      isRunning = false;
    }
    if (isClosing) {
      database.close();
      port.close();
    }
  }

  function answer(replies: readonly WriteReply[]): void {
    try {
      port.postMessage(replies);
    } catch (error) {
      // A result that is not plain data cannot be sent; the others of its batch can.
      const [first, ...others] = replies;
      if (first === undefined) return;
      if (others.length === 0) port.postMessage([{ id: first.id, ok: false, error: toErrorData(error) }]);
      else for (const reply of replies) answer([reply]);
    }
  }

  function accept(message: Message): void {
    if (message === 'close') isClosing = true;
    else waiting.push(...message);
  }

  port.on('message', (message: Message) => {
    accept(message);
    if (!isRunning) void drain();
  });
  port.postMessage('ready');
}

type Message = readonly WriteRequest[] | 'close';

if (parentPort !== null) serve(parentPort, (workerData as { path: string }).path);
