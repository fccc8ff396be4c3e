import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import { contract } from '../../src/contract.ts';
import { until } from '../support/wait.ts';
import type { ChaosBackends } from './objects-backends.ts';
import type { Fleet } from './objects-fleet.ts';
import type { History } from './objects-history.ts';
import type { SeededRandom } from './objects-random.ts';

export interface StormOptions {
  readonly fleet: Fleet;
  readonly backends: ChaosBackends;
  readonly history: History;
  readonly random: SeededRandom;
  /** It goes on until both are reached. */
  readonly seconds: number;
  readonly killsMin: number;
  /** How long a lease lasts that a paused gateway outlives. */
  readonly leaseMs: number;
}

/** What a storm did. */
export interface StormReport {
  readonly kills: number;
  readonly pauses: number;
  readonly strikes: readonly string[];
}

const keepers = ['object-cleanup', 'object-intents', 'object-replicator'];
const writesBetweenKills = 6;
/** How long a kind of harm that nothing has met yet waits for somebody to feel it. */
const feltMs = 1_500;
/** How much longer a storm may last that has not done all that it must. */
const overtimeMs = 60_000;

/** Kills and pauses gateways, and harms backends, until it is over; then it heals what it harmed. */
export async function storm(options: StormOptions): Promise<StormReport> {
  const { backends, random } = options;
  const over = new AbortController();
  const strikes: string[] = [];
  const striking = strike(options, random.fork(), strikes, over.signal);
  const keeping = keep(options, random.fork(), over.signal);
  try {
    return { ...(await takeDown(options)), strikes };
  } finally {
    over.abort();
    await Promise.all([striking, keeping]);
    await backends.heal();
  }
}

/** Kills and pauses gateways until the time is over and enough was done; then lets every kind of harm be met. */
async function takeDown(options: StormOptions): Promise<Pick<StormReport, 'kills' | 'pauses'>> {
  const { fleet, backends, random, seconds, killsMin } = options;
  const endAtMs = performance.now() + seconds * 1_000;
  const pausesMin = fleet.size > 1 ? 2 : 0;
  const looks: Promise<void>[] = [];
  let kills = 0;
  let pauses = 0;
  while (performance.now() < endAtMs || kills < killsMin || pauses < pausesMin) {
    assert.ok(performance.now() < endAtMs + overtimeMs, `only ${kills} kills and ${pauses} pauses came to pass`);
    const victim = random.below(fleet.size);
    const [waitMs, downMs] = [random.below(900), random.isChance(0.3) ? random.below(1_000) : 0];
    const isPause = pausesMin > 0 && (random.isChance(0.35) || (kills >= killsMin && pauses < pausesMin));
    await someWrites(options);
    // Not luck: the moment of death is what is being tried.
    await delay(waitMs);
    if (isPause) {
      pauses++;
      await pause(options, victim);
    } else {
      kills++;
      await fleet.kill(victim);
      await delay(downMs);
      await fleet.start(victim);
    }
    looks.push(lookAtBooks(options));
  }
  await Promise.all(looks);
  await until('every kind of harm is met', () => backends.unmet().length === 0, overtimeMs);
  return { kills, pauses };
}

/** Writes go on, now and then, whatever is broken at the moment. */
async function someWrites({ history }: StormOptions): Promise<void> {
  const enough = history.done + writesBetweenKills;
  await until('writes go on in the storm', () => history.done >= enough, 60_000);
}

/**
 * For longer than its lease, while another takes it for dead and gives up what it was writing; then it goes on with what it
 * was at, and must not commit it.
 */
async function pause({ fleet, random, leaseMs }: StormOptions, victim: number): Promise<void> {
  const lateMs = random.below(leaseMs);
  await fleet.pause(victim);
  try {
    await delay(leaseMs * 1.2);
    for (const name of ['object-intents', 'object-cleanup']) await runKeeper(fleet, name);
    await delay(lateMs);
  } finally {
    fleet.resume();
  }
}

/** What the ledger says of itself holds at every moment, whatever is under way. */
const atAnyMoment = new Set(['lost', 'dangling', 'misplaced_latest', 'wrong_sum', 'short']);

async function lookAtBooks({ fleet, history }: StormOptions): Promise<void> {
  const call = fleet.awake()?.client.call(contract.checkGateway, { body: {} });
  // It may be killed, or its check may take longer than a client waits while a backend hangs.
  const report = await call?.catch(() => null);
  for (const { kind, detail } of report?.findings ?? []) {
    if (atAnyMoment.has(kind)) history.faults.push(`in the storm, ${kind}: ${detail}`);
  }
}

/** On a gateway that is not paused, if there is one; it may be killed in the middle of it. */
async function runKeeper(fleet: Fleet, name: string): Promise<void> {
  const call = fleet.awake()?.client.call(contract.runKeeper, { params: { name } });
  await call?.catch(() => undefined);
}

/** Strikes while there is somebody to feel it, and mostly until somebody has. */
async function strike(
  { backends, fleet }: StormOptions,
  chance: SeededRandom,
  strikes: string[],
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const waitMs = 80 + chance.below(600);
    if (fleet.any() === null) {
      await delay(waitMs);
      continue;
    }
    const { where, mode } = await backends.strike(chance);
    strikes.push(`${where}: ${mode}`);
    await delay(waitMs);
    const untilMs = performance.now() + feltMs;
    const isAwaited = () => backends.unmet().some((one) => one === mode);
    while (isAwaited() && performance.now() < untilMs && !signal.aborted) await delay(20);
  }
}

/** Keepers work all the time, so that they too are killed in the middle of their work. */
async function keep({ fleet }: StormOptions, chance: SeededRandom, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const name = chance.pick(keepers);
    await runKeeper(fleet, name);
    await delay(300);
  }
}
