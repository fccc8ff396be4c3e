import assert from 'node:assert/strict';
import { test } from 'node:test';
import { s3CodeOf } from '../../src/objects/errors.ts';
import { onEveryStore } from '../support/stores.ts';
import { assertClean, assertEmpty, read, remove } from './acts.ts';
import { type Disturbance, type Manner, disturb } from './disturbance.ts';
import { type Lab, labBackends, openLab } from './lab.ts';
import { type Standing, type Story, createStoryBuckets, stories, uploadsOf } from './stories.ts';

const stepsMax = 60;
const zones = ['x', 'x', 'y'];
const { signal } = new AbortController();

async function standing(lab: Lab, bucket: string, key: string): Promise<Standing> {
  return read(lab, bucket, key).catch((error: unknown) => {
    if (s3CodeOf(error) === 'NoSuchKey') return null;
    throw error;
  });
}

function isSame(a: Standing, b: Standing): boolean {
  return a === null || b === null ? a === b : a.equals(b);
}

/** Leaves nothing of a story behind. */
async function clear(lab: Lab, key: string): Promise<void> {
  for (const bucket of ['one', 'all', 'kept', 'placed']) {
    for (const upload of await uploadsOf(lab, bucket, key)) await lab.gateway.uploads.abort(upload, 'tester');
    const page = { bucket, prefix: key, delimiter: null, after: null, limit: 100 };
    const { versions } = await lab.gateway.objects.listVersions(page);
    for (const { versionId } of versions) await remove(lab, bucket, key, versionId);
  }
  for (const { name, backend } of lab.backends) {
    backend.faults.length = 0;
    await lab.setState(name, 'active');
  }
}

/** The process that comes after one that died, and after another one that died while it put things right. */
async function survivorOf(lab: Lab, { step, manner }: Disturbance): Promise<readonly [Lab, Lab]> {
  const second = await lab.restart();
  const mortal = disturb(second, {
    step: 1 + (step % 7),
    manner: manner === 'before' ? 'after' : 'before',
    isFatal: true,
  });
  const { intents, replicator, cleanup } = second.keepers();
  for (const keeper of [intents, cleanup, replicator]) await keeper.run(signal).catch(() => {});
  await mortal.silence();
  return [second, await second.restart()];
}

/** Disturbs a process in a story and looks at what is found afterwards. */
async function tell(story: Story, lab: Lab, key: string, disturbance: Disturbance) {
  const old = await story.before(lab, key);
  const disturbed = disturb(lab, disturbance);
  const isAcknowledged = await story.act(lab, key).then(
    () => true,
    () => false,
  );
  await disturbed.silence();
  const [second, last] = disturbance.isFatal ? await survivorOf(lab, disturbance) : [lab, lab];
  // Deletions look once; then the last bytes of what was disturbed arrive.
  await last.gateway.writer.leftovers.giveUp();
  const { intents, cleanup } = last.keepers();
  for (const keeper of [intents, cleanup]) await keeper.run(signal);
  for (const late of [...lab.calls.lingering, ...second.calls.lingering]) await late();
  lab.calls.lingering.length = 0;

  await assertClean(last);
  const found = await standing(last, story.bucket, key);
  const wanted = story.outcome(key);
  if (isAcknowledged) assert.ok(isSame(found, wanted), 'what was acknowledged stands');
  else assert.ok(isSame(found, wanted) || isSame(found, old), 'what was not acknowledged is whole or absent');
  const where = disturbed.where();
  if (where === null) assert.ok(isAcknowledged, 'whoever was not disturbed gave an answer');
  await clear(last, key);
  return { last, where };
}

/** Tells a story again and again, disturbed one step later each time, until there is nothing left to disturb. */
async function tellAll(story: Story, first: Lab, manners: readonly Manner[], isFatal: boolean): Promise<Lab> {
  let lab = first;
  let where: 'store' | 'backend' | null = null;
  for (let step = 1; step === 1 || where !== null; step++) {
    assert.ok(step <= stepsMax, 'the story ends');
    for (const manner of manners) {
      if (manner === 'during' && where !== 'backend') continue;
      const disturbance = { step, manner, isFatal };
      try {
        const told = await tell(story, lab, `${step}-${manner}`, disturbance);
        lab = told.last;
        where = told.where;
      } catch (error) {
        throw new Error(`told with ${JSON.stringify(disturbance)}`, { cause: error });
      }
    }
    if (step === 1) assert.ok(where !== null, 'there is something to disturb');
  }
  await assertEmpty(lab);
  return lab;
}

onEveryStore('a gateway that is disturbed at any step', (engine) => {
  // Most steps come one after the other, and before one is then after the last: on the slower engine that is enough.
  const manners: readonly Manner[] = engine.name === 'sqlite' ? ['before', 'after', 'during'] : ['after', 'during'];
  for (const [isFatal, name] of [
    [
      true,
      'failures 1, 7, 8 and 24: dies and keeps what it acknowledged, with the rest whole or absent and no bytes lost',
    ],
    [false, 'failures 1, 7, 8 and 24: gets no answer once, lives on, and leaves nothing behind'],
  ] as const) {
    test(name, async (t) => {
      const backends = labBackends(3).map((one, index) => ({ ...one, labels: { zone: zones[index]! } }));
      const first = await openLab(engine, backends);
      await createStoryBuckets(first);
      let lab = first;
      for (const story of stories)
        await t.test(story.name, async () => void (lab = await tellAll(story, lab, manners, isFatal)));
      await first.close();
    });
  }
});
