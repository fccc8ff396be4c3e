import { parentPort, workerData } from 'node:worker_threads';
import type { CommitBatch, CommitReply, CommitThreadData } from './commit-protocol.ts';
import { CommitWork } from './commit-work.ts';

/**
 * The thread that changes a directory of blobs. The event loop that serves requests makes no call that changes the disk,
 * so that a disk which hangs stops this thread and not the server.
 */
function serve(port: NonNullable<typeof parentPort>, data: CommitThreadData): void {
  const work = new CommitWork(data);
  port.on('message', (batch: CommitBatch) => {
    void work.run(batch).then((replies: CommitReply[]) => port.postMessage(replies));
  });
}

if (parentPort !== null) serve(parentPort, workerData as CommitThreadData);
