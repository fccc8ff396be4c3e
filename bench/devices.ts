import { randomUUID } from 'node:crypto';
import { correlate } from '../src/volumes/devices/correlate.ts';
import { observeDevices } from '../src/volumes/devices/observe.ts';
import { writeDevice } from '../src/volumes/devices/test-devices.ts';
import { volumeSerial } from '../src/volumes/devices/volume-serial.ts';
import { temporaryDirectory } from '../test/support/temp.ts';
import { percentile, row } from './support/report.ts';

const deviceCount = 256;
const rounds = 15;

/** The CPU of reading 256 devices (from a tree on a disk, as sysfs has it) and of telling which volumes they are. */
export async function benchDevices(): Promise<void> {
  await using directory = await temporaryDirectory();
  const volumes = Array.from({ length: deviceCount }, () => {
    const uuid = randomUUID();
    return { volumeId: `vol-${uuid}`, uuids: [uuid] };
  });
  for (const [at, { volumeId }] of volumes.entries()) {
    const attributes = { dev: `254:${at * 16}\n`, size: '2097152\n', diskseq: `${at}\n`, hidden: '0\n' };
    await writeDevice(directory.path, `vd${at}`, { ...attributes, serial: volumeSerial(volumeId) });
  }
  const reading: number[] = [];
  const correlating: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const beforeReading = process.cpuUsage();
    const devices = await observeDevices({ sysBlock: directory.path }, AbortSignal.timeout(30_000));
    reading.push(cpuMs(beforeReading));
    const beforeCorrelating = process.cpuUsage();
    const { matches } = correlate(devices, volumes);
    correlating.push(cpuMs(beforeCorrelating));
    if (matches.length !== deviceCount) throw new Error(`${matches.length} of ${deviceCount} were matched`);
  }
  row(`${deviceCount} devices: correlation with ${deviceCount} volumes, CPU`, `p50 ${percentile(correlating, 0.5)} ms`);
  row(`${deviceCount} devices: reading them, CPU`, `p50 ${percentile(reading, 0.5)} ms`);
}

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1_000;
}

if (import.meta.main) await benchDevices();
