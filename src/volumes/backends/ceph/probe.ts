import { forkChild } from './child-handle.ts';
import type { FromChild } from './protocol.ts';

const PROBE_TIMEOUT_MS = 10_000;

export type ProbeResult = { readonly ok: true } | { readonly ok: false; readonly message: string };

/**
 * Whether librados and librbd can be loaded on this machine, tried in a process of its own. Never throws; a `message`
 * says what to install. Takes no connection to a cluster. Bounded by 10 s.
 */
export function probeLibrbd(): Promise<ProbeResult> {
  const child = forkChild(['probe']);
  return new Promise((resolve) => {
    const end = (result: ProbeResult): void => {
      clearTimeout(timer);
      resolve(result);
    };
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      end({ ok: false, message: 'Loading the Ceph libraries did not end within 10 s.' });
    }, PROBE_TIMEOUT_MS);
    child.once('error', (error) => end({ ok: false, message: `The probe could not start: ${error.message}` }));
    child.on('message', (data) => {
      const message = data as FromChild;
      if (message.type !== 'probed') return;
      end(message.problem === null ? { ok: true } : { ok: false, message: message.problem });
    });
    child.once('exit', (code, signal) =>
      end({ ok: false, message: `Loading the Ceph libraries ended the process (${signal ?? `exit code ${code}`}).` }),
    );
  });
}
