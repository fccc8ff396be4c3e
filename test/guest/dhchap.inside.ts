/**
 * Runs inside a guest, see `clients.test.ts`: hosts that prove themselves to the kernel's target, by the commands that
 * exports tell.
 */
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, open, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { at, isKind, newSpec } from '../../src/volumes/exports/conformance/suite.ts';
import { newDhchapKey } from '../../src/volumes/exports/dhchap-key.ts';
import { createNvmeofTarget } from '../../src/volumes/exports/nvmeof/nvmeof.ts';
import type { ExportDhchap, ExportSpec, LiveExport } from '../../src/volumes/exports/target.ts';
import { until } from '../support/wait.ts';
import { type Outcome, attempt, nvmeOf, run } from './machine.ts';
import { hostNqn } from './nvme-host.ts';

const directory = await mkdtemp('/scratch/dhchap-');
const target = createNvmeofTarget({ ports: { first: 4_420, last: 4_429 } });
await mkdir('/etc/nvme', { recursive: true });
await writeFile('/etc/nvme/hostnqn', `${hostNqn}\n`);
await writeFile('/etc/nvme/hostid', `${hostNqn.slice(-36)}\n`);

describe('an export with keys', () => {
  it('lets in the host that has both, which reads and writes, and one that asks for no proof', async () => {
    await using stage = await exported(newKeys());
    const { made, keys } = stage;
    assert.equal((await connect(made, keys)).status, 0);
    const { disk } = await until('the disk', () => nvmeOf(made.connection.name));
    await writeFile(join(directory, 'content'), Buffer.alloc(65_536, 'Holdfast '));
    const content = join(directory, 'content');
    await run(`dd if=${content} of=${disk} bs=64k oflag=direct conv=fsync status=none`);
    await run(`blockdev --flushbufs ${disk} && cmp -n 65536 ${content} ${disk}`);
    await run(`nvme disconnect --nqn=${made.connection.name}`);
    assert.equal((await connect(made, { key: keys.key })).status, 0, 'the host need not ask the target for a proof');
  });

  it('refuses a host with a wrong key, and one without', async () => {
    await using stage = await exported(newKeys());
    const { made, keys } = stage;
    for (const wrong of [null, { ...keys, key: newDhchapKey() }]) {
      // Mostly at once, for the key; on a busy machine the kernel's host may miss the answer, and give up after its minute.
      assert.notEqual((await connect(made, wrong)).status, 0);
      assert.equal(await nvmeOf(made.connection.name), null);
    }
    assert.equal((await connect(made, keys)).status, 0, 'it was the keys');
  });

  it('is refused by a host to which it does not prove itself', async () => {
    await using stage = await exported(newKeys());
    const { made, keys } = stage;
    const { status } = await connect(made, { ...keys, controllerKey: newDhchapKey() });
    assert.notEqual(status, 0);
    assert.equal(await nvmeOf(made.connection.name), null);
  });

  it('shares the keys with the other exports for its hosts, or is refused; they go with the last', async () => {
    const first = await exported({ key: newDhchapKey() });
    const second = await exported(first.keys);
    assert.doesNotMatch(attachCommand(second.made), /ctrl-secret/, 'one direction');
    const others = isKind('conflict', { reason: 'other_key' });
    await assert.rejects(target.add(at(), await wish(newKeys())), others);
    await assert.rejects(target.add(at(), await wish()), others);
    for (const { made, keys } of [first, second]) assert.equal((await connect(made, keys)).status, 0);
    await first[Symbol.asyncDispose]();
    assert.deepEqual(await readdir('/sys/kernel/config/nvmet/hosts'), [hostNqn]);
    await second[Symbol.asyncDispose]();
    assert.deepEqual(await readdir('/sys/kernel/config/nvmet/hosts'), []);
    await using third = await exported(newKeys(), { preferredPort: 4_425 });
    assert.equal(third.made.connection.port, 4_425, 'where it was before, hosts look for it again');
    assert.equal((await connect(third.made, third.keys)).status, 0);
  });
});

function newKeys(): Required<ExportDhchap> {
  return { key: newDhchapKey(), controllerKey: newDhchapKey() };
}

async function wish(dhchap?: ExportDhchap, more: Partial<ExportSpec> = {}): Promise<ExportSpec> {
  const path = join(directory, `vol-${randomUUID()}.img`);
  await using file = await open(path, 'wx');
  await file.truncate(4 * 1024 * 1024);
  const asked = dhchap === undefined ? {} : { dhchap };
  return newSpec({ kind: 'file', path }, { allowedHosts: [hostNqn], ...asked, ...more });
}

/** An export until it is disposed of, its hosts cut. */
async function exported<K extends ExportDhchap>(keys: K, more: Partial<ExportSpec> = {}) {
  const spec = await wish(keys, more);
  const made = await target.add(at(), spec);
  return {
    made,
    keys,
    async [Symbol.asyncDispose]() {
      await attempt(`nvme disconnect --nqn=${made.connection.name}`);
      await target.remove(at(), spec.exportId, { force: true });
    },
  };
}

function attachCommand({ connection }: LiveExport): string {
  return connection.commands.find(({ purpose }) => purpose === 'attach')!.command;
}

/** Pastes the command with the file of these keys beside it, as far as there are any. */
async function connect(made: LiveExport, keys: ExportDhchap | null): Promise<Outcome> {
  const { key = '', controllerKey } = keys ?? {};
  await writeFile(join(directory, 'dhchap.keys'), `${[key, controllerKey ?? ''].join('\n').trim()}\n`);
  const given = controllerKey === undefined ? / --dhchap-ctrl-secret="[^"]*"/ : /^$/;
  const command =
    keys === null ? attachCommand(made).replace(/ --dhchap.*/, '') : attachCommand(made).replace(given, '');
  return attempt(`cd ${directory} && ${command}`);
}
