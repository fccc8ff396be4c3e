/**
 * Runs in a guest: watches the devices of its kernel and keeps links as the agent of a host does, and prints each new state as a
 * line of JSON. What it is to do is read from the file that it is given, again and again.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { type KnownVolume, correlate } from '../../src/volumes/devices/correlate.ts';
import { createDeviceLinks } from '../../src/volumes/devices/device-mapper/device-links.ts';
import { LinkKeeper, type LinkPass } from '../../src/volumes/devices/link-keeper.ts';
import { DeviceWatch } from '../../src/volumes/devices/watch.ts';

export interface AgentTask {
  /** Grows with each task, so that a state tells which task it is of. */
  readonly number: number;
  readonly known: readonly KnownVolume[];
  readonly wanted: readonly string[];
}

export interface AgentState extends LinkPass {
  readonly task: number;
  /** Volume id, name of the device, and by what it is known. */
  readonly matches: readonly (readonly [volumeId: string, device: string, by: string])[];
  readonly doubts: readonly string[];
  readonly problems: readonly string[];
  readonly health: string;
}

const restMs = 50;
/** A pass without a change comes after this; links are changed by others as well. */
const idlePassMs = 500;
const passTimeoutMs = 15_000;

const file = process.argv[2] ?? '';
const links = createDeviceLinks();
const keeper = new LinkKeeper(links);
const problems: string[] = [];
const health = (await links.linkHealth(AbortSignal.timeout(passTimeoutMs))).detail;
let nextPassAt = 0;
await using watch = new DeviceWatch({
  sysBlock: '/sys/block',
  byId: '/dev/disk/by-id',
  pollIntervalMs: 100,
  deadlineMs: 5_000,
  onChanges: () => (nextPassAt = 0),
  onProblem: (error) => problems.push(String(error)),
});
let [last, lastTask] = ['', -1];
for (;;) {
  await delay(restMs);
  if (watch.devices.length === 0) continue;
  const { number, known, wanted } = JSON.parse(await readFile(file, 'utf8')) as AgentTask;
  if (number === lastTask && performance.now() < nextPassAt) continue;
  [lastTask, nextPassAt] = [number, performance.now() + idlePassMs];
  const devices = watch.devices;
  const correlation = correlate(devices, known);
  const task = { wanted: wanted.map((volumeId) => ({ volumeId })), devices, correlation };
  const pass = await keeper.pass(task, AbortSignal.timeout(passTimeoutMs));
  const state: AgentState = {
    ...pass,
    task: number,
    matches: correlation.matches.map(({ volumeId, device, by }) => [volumeId, device.name, by] as const),
    doubts: correlation.doubts.map(({ message }) => message),
    problems,
    health,
  };
  const line = JSON.stringify(state);
  if (line !== last) console.log(line);
  last = line;
}
