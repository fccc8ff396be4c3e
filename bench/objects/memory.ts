import { temporaryDirectory } from '../../test/support/temp.ts';
import { row } from '../support/report.ts';
import { startOurs } from './our-server.ts';
import { send } from './targets.ts';
import { upload } from './upload.ts';

const uploads = 100;
const sizesMiB = [4, 16, 64];
const mebibyte = 1_048_576;

/** Resident memory while 100 uploads run at once: it must not depend on how large they are. */
export async function benchObjectMemory(): Promise<void> {
  await using directory = await temporaryDirectory();
  const ours = await startOurs(directory.path);
  const { target } = ours;
  await send(target, 'PUT', '');
  row('resident memory, idle', `${toMiB(await ours.process.memory())} MiB`);
  for (const sizeMiB of sizesMiB) {
    let peak = 0;
    const watch = setInterval(() => void ours.process.memory().then((bytes) => (peak = Math.max(peak, bytes))), 100);
    // The same keys each time: what is overwritten makes room.
    await Promise.all(Array.from({ length: uploads }, (_, index) => upload(target, `k-${index}`, sizeMiB)));
    clearInterval(watch);
    row(`resident memory, ${uploads} uploads of ${sizeMiB} MiB at once, at most`, `${toMiB(peak)} MiB`);
  }
  await ours.process.stop();
}

function toMiB(bytes: number): string {
  return (bytes / mebibyte).toFixed(0);
}

if (import.meta.main) await benchObjectMemory();
