import { readFile, readdir } from 'node:fs/promises';
import { until } from './wait.ts';

/**
 * Stops a process in its tracks (SIGSTOP), and returns when every thread of it has stopped: the signal is only sent by
 * the call, and a server of many threads answers a request or two more before it reaches the last of them.
 *
 * @source proc_pid_stat(5): the state is the first field after the name in parentheses, T when stopped by a signal.
 */
export async function suspend(pid: number | undefined): Promise<void> {
  if (pid === undefined) throw new Error('a process that has not started cannot be stopped');
  process.kill(pid, 'SIGSTOP');
  await until(`process ${pid} has stopped`, async () => {
    const states = await Promise.all((await readdir(`/proc/${pid}/task`)).map((thread) => stateOf(pid, thread)));
    return states.every((state) => state === 'T' || state === null);
  });
}

/** The state of a thread; null when it has ended. */
async function stateOf(pid: number, thread: string): Promise<string | null> {
  const stat = await readFile(`/proc/${pid}/task/${thread}/stat`, 'utf8').catch(() => null);
  return stat === null ? null : stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
}
