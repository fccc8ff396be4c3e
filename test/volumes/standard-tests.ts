import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { BackendFaults, type Moment, type Verb } from '../support/faulty-backend.ts';
import type { OperationReply } from '../support/server.ts';
import { type Interruptions, Kills, Stops } from './interruptions.ts';
import { type Rig, type RigServer, serve } from './rigs.ts';
import { type Scenario, type Subject, scenarios as allScenarios } from './scenarios.ts';
import type { Hand } from './world.ts';

/** As many attempts as `VOLUME_RETRY_MAX_ATTEMPTS` allows by default. */
const attemptsMax = 3;
const moments: readonly Moment[] = ['before', 'after'];

/**
 * The four standard tests of every operation of volumes (DESIGN §4) on one backend: it succeeds; it fails at each step
 * and leaves a true state; each step runs twice with the same result; it is killed at each step and finishes after
 * a restart.
 */
export function standardTests(
  name: string,
  makeRig: () => Promise<Rig>,
  scenarios: readonly Scenario[] = allScenarios,
): void {
  let rig: Rig;
  let server: RigServer;
  let interruptions: Interruptions;
  const faults = new BackendFaults();
  const subjects = newSubjects();
  before(async () => {
    rig = await makeRig();
    interruptions = rig.disk === null ? new Kills(rig) : new Stops(rig);
    server = await serve(rig, faults);
  });
  after(async () => {
    // Either may be missing when its start has failed, and that failure is the one to tell.
    await (interruptions as Interruptions | undefined)?.stop();
    await (server as RigServer | undefined)?.stop();
    await (rig as Rig | undefined)?.[Symbol.asyncDispose]();
  });

  for (const scenario of scenarios) {
    describe(`${scenario.name} on ${name}`, () => {
      const testOf = (what: string, body: (subject: Subject) => Promise<void>): void =>
        void test(what, async (context) => {
          const { needs } = scenario;
          if (needs !== undefined && !rig.backend.capabilities[needs]) {
            context.skip(`${name} has no ${needs}`);
            return;
          }
          faults.clear();
          await body(subjects());
        });

      testOf('succeeds', (subject) => succeeds(scenario, server.hand, subject));
      for (const verb of scenario.verbs) {
        testOf(`fails at ${verb}, says so, and is made right again`, (subject) =>
          fails(scenario, verb, server.hand, faults, subject),
        );
        testOf(`does ${verb} twice with the same result`, (subject) =>
          repeats(scenario, verb, server.hand, faults, subject),
        );
        for (const moment of scenario.moments?.[verb] ?? moments) {
          testOf(`is cut off ${moment} ${verb} and finishes after a restart`, (subject) =>
            isCutOff(scenario, verb, moment, interruptions, subject),
          );
        }
      }
    });
  }
}

async function succeeds(scenario: Scenario, hand: Hand, subject: Subject): Promise<void> {
  await scenario.prepare(hand, subject);
  const operation = await hand.completed(await scenario.request(hand, subject));
  await scenario.check(hand, subject);
  assert.equal(operation.error, null);
  assert.deepEqual(
    operation.steps!.map(({ status, attempts }) => [status, attempts]),
    operation.steps!.map(() => ['completed', 1]),
  );
}

async function fails(
  scenario: Scenario,
  verb: Verb,
  hand: Hand,
  faults: BackendFaults,
  subject: Subject,
): Promise<void> {
  await scenario.prepare(hand, subject);
  faults.refuse(verb);
  const operation = await hand.ended(await scenario.request(hand, subject));
  assert.equal(operation.status, 'failed');
  assert.match(operation.error!.error, new RegExp(`refuses ${verb}`));
  assert.equal(operation.steps!.at(-1)!.attempts, attemptsMax);
  const volume = await hand.assertTrue(subject.volumeId, scenario.afterFailure);
  assert.match(volume.reason ?? '', new RegExp(`refuses ${verb}`), 'the volume says why');
  assert.equal(volume.next_retry_at, null);
  await assertAttemptsTold(hand, operation);

  faults.clear();
  for (const repair of scenario.repair) {
    if (repair === 'clean') await scenario.clean!(hand, subject);
    else if (repair === 'reconcile') assert.equal((await hand.reconcile(subject.volumeId)).status, 'completed');
    else await hand.completed(await scenario.request(hand, subject));
  }
  await scenario.check(hand, subject);
}

/** Where failures move the state, each attempt is an event with its number; elsewhere the failure is one event. */
async function assertAttemptsTold(hand: Hand, operation: OperationReply): Promise<void> {
  const events = await hand.eventsOf(operation.id);
  const failures = events.filter(({ type }) => /\.(fail|retry|exhaust)$/.test(type));
  if (failures.length === 0) {
    assert.match(events.at(-1)?.type ?? 'none', /_failed$/);
    assert.equal(events.at(-1)!.data['reason'], operation.error!.error);
    return;
  }
  assert.deepEqual(
    failures.map(({ type, data }) => [type, data['attempt'] ?? null]),
    [
      ['volume.fail', 1],
      ['volume.retry', 2],
      ['volume.fail', 2],
      ['volume.retry', 3],
      ['volume.fail', 3],
      ['volume.exhaust', null],
    ],
  );
  const tried = failures.filter(({ type }) => type === 'volume.fail');
  assert.deepEqual(
    tried.map(({ data }) => data['next_retry_at'] !== undefined),
    [true, true, false],
  );
}

async function repeats(
  scenario: Scenario,
  verb: Verb,
  hand: Hand,
  faults: BackendFaults,
  subject: Subject,
): Promise<void> {
  await scenario.prepare(hand, subject);
  const before = faults.count(verb);
  faults.loseAnswer(verb);
  const operation = await hand.completed(await scenario.request(hand, subject));
  assert.equal(faults.count(verb) - before, 2, 'the work was done twice');
  assert.equal(Math.max(...operation.steps!.map(({ attempts }) => attempts)), 2);
  await scenario.check(hand, subject);
}

async function isCutOff(
  scenario: Scenario,
  verb: Verb,
  moment: Moment,
  interruptions: Interruptions,
  subject: Subject,
): Promise<void> {
  await scenario.prepare(await interruptions.hand(), subject);
  const operation = await interruptions.during(verb, moment, (hand) => scenario.request(hand, subject));
  // What the attempt that was cut off has done is not known, so it does not count as one.
  assert.equal(Math.max(...operation.steps!.map(({ attempts }) => attempts)), 1);
  await scenario.check(await interruptions.hand(), subject);
}

function newSubjects(): () => Subject {
  let count = 0;
  return () => ({ name: `subject-${++count}`, volumeId: '', notes: {} });
}
