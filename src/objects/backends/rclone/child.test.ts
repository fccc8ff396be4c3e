import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { describe, it } from 'node:test';
import { rcloneMissing, rcloneProcesses } from '../../../../test/support/rclone.ts';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { until } from '../../../../test/support/wait.ts';
import { HoldfastError } from '../../../kernel/errors/errors.ts';
import { chunksOf } from '../../content/content.ts';
import type { ObjectBackend } from '../backend.ts';
import { openRclone, rcloneKind } from './rclone.ts';
import { readRclone } from './settings.ts';

const skip = process.env['HOLDFAST_REQUIRE_REAL'] === '1' ? false : (rcloneMissing() ?? false);
const MIB = 1024 * 1024;

/** A backend on a local remote in a directory of its own. */
async function rig(): Promise<{ backend: ObjectBackend; path: string } & AsyncDisposable> {
  const directory = await temporaryDirectory();
  const config = { remote_type: 'local', remote_path: directory.path };
  const backend = rcloneKind.open(rcloneKind.validate({ config, secrets: {} }));
  return {
    backend,
    path: directory.path,
    async [Symbol.asyncDispose]() {
      await backend.close();
      await directory[Symbol.asyncDispose]();
    },
  };
}

/** Kills the one rclone that serves this path. */
async function killChild(path: string): Promise<void> {
  const [process_] = await rcloneProcesses(path);
  assert.ok(process_ !== undefined, 'rclone runs');
  process.kill(process_.pid, 'SIGKILL');
}

function put(backend: ObjectBackend, key: string, bytes = Buffer.from(key)): Promise<void> {
  return backend.put(key, bytes, { sizeBytes: bytes.length, signal: soon() });
}

describe('rclone: the child process', { skip }, () => {
  it('is started by the first call, and ends with the backend', async () => {
    const { backend, path, [Symbol.asyncDispose]: dispose } = await rig();
    assert.deepEqual(await rcloneProcesses(path), []);
    await Promise.all([backend.head('a', soon()), backend.head('b', soon()), backend.health(soon())]);
    assert.equal((await rcloneProcesses(path)).length, 1, 'one for all calls');
    await dispose.call(undefined);
    await until('rclone is gone', async () => (await rcloneProcesses(path)).length === 0);
    await assert.rejects(backend.head('a', soon()), isKind('unavailable', /closed/));
  });

  it('is started again after it died, and what was stored is there', async () => {
    await using one = await rig();
    await put(one.backend, 'key');
    await killChild(one.path);
    await until('rclone is gone', async () => (await rcloneProcesses(one.path)).length === 0);
    assert.equal((await one.backend.head('key', soon()))?.sizeBytes, 3);
  });

  it('failure 14: dies in the middle of a put, and no part of the blob can be read', async () => {
    await using one = await rig();
    async function* killing(): AsyncGenerator<Buffer> {
      for (let chunk = 0; chunk < 256; chunk++) {
        if (chunk === 128) await killChild(one.path);
        yield Buffer.alloc(65_536, chunk);
      }
    }
    const putting = one.backend.put('key', killing(), { sizeBytes: 256 * 65_536, signal: soon() });
    await assert.rejects(putting, isKind('unavailable', /cannot be reached|ended/));
    assert.equal(await one.backend.head('key', soon()), null);
    assert.equal(await one.backend.get('key', null, soon()), null);
    assert.deepEqual((await one.backend.list({ prefix: '', limit: 10 }, soon())).blobs, []);
    await one.backend.delete('key', soon());
    assert.deepEqual(await readdir(join(one.path, 'uploads')).catch(() => []), [], 'delete clears away what was left');
  });

  it('failure 14: dies in the middle of a get, which is an error and never a clean end', async () => {
    await using one = await rig();
    await put(one.backend, 'key', Buffer.alloc(64 * MIB));
    const opened = await one.backend.get('key', null, soon());
    const reading = async (): Promise<void> => {
      let readBytes = 0;
      for await (const chunk of chunksOf(opened!.content)) {
        if (readBytes === 0) await killChild(one.path);
        readBytes += chunk.length;
      }
    };
    await assert.rejects(reading(), isKind('backend', /broke off/));
  });

  it('is told to wait longer between starts that fail, and says when it will be tried again', async () => {
    await using directory = await temporaryDirectory();
    await fakeRclone(directory.path, 'exit 3');
    const backend = open({}, directory.path);
    const deadlineAt = performance.now() + 20_000;
    const said: string[] = [];
    while (!said.some((message) => /in a row/.test(message)) && performance.now() < deadlineAt) {
      await backend.head('key', soon()).catch((error: unknown) => said.push((error as Error).message));
    }
    assert.match(said.at(-1) ?? '', /has ended \d+ times in a row/);
    assert.ok(said.length < 10, 'it was not started over and over');
    await backend.close();
  });

  it('ends when the gateway is killed hard', async () => {
    await using directory = await temporaryDirectory();
    const fixture = join(import.meta.dirname, 'held.fixture.ts');
    const holder = spawn(process.execPath, [fixture, directory.path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(holder.stdout, 'data');
    assert.equal((await rcloneProcesses(directory.path)).length, 1);
    holder.kill('SIGKILL');
    await until('rclone has ended', async () => (await rcloneProcesses(directory.path)).length === 0);
  });

  it('failure 23: takes little memory for many streams at once', async (t) => {
    await using one = await rig();
    const bytes = 48 * MIB;
    async function* stream(): AsyncGenerator<Buffer> {
      for (let sent = 0; sent < bytes; sent += MIB) yield Buffer.alloc(MIB);
    }
    const keys = Array.from({ length: 8 }, (_, index) => `key-${index}`);
    await Promise.all(keys.map((key) => one.backend.put(key, stream(), { sizeBytes: bytes, signal: soon() })));
    const [child] = await rcloneProcesses(one.path);
    const status = await readFile(`/proc/${child!.pid}/status`, 'utf8');
    const peakKib = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
    t.diagnostic(`rclone took at most ${peakKib} KiB`);
    assert.ok(peakKib * 1024 < (keys.length * bytes) / 2, `${peakKib} KiB`);
  });
});

describe('rclone: settings and secrets', { skip }, () => {
  it('gives secrets neither as arguments nor in files, nor in what it says', async () => {
    await using directory = await temporaryDirectory();
    const password = 'hunter2-is-secret';
    // Encryption over a directory: the password is one that rclone wants obscured.
    const config = { remote_type: 'crypt', option_remote: directory.path, remote_path: basename(directory.path) };
    const backend = rcloneKind.open(rcloneKind.validate({ config, secrets: { option_password: password } }));
    await mkdir(join(directory.path, 'unrelated'));
    await put(backend, 'key', Buffer.from('plain text'));
    assert.equal((await backend.head('key', soon()))?.sizeBytes, 10);
    const [child, ...others] = await rcloneProcesses(basename(directory.path));
    assert.ok(child !== undefined && others.length === 0);
    assert.ok(!child.command.includes(password));
    const environment = await readFile(`/proc/${child.pid}/environ`, 'utf8');
    assert.match(environment, /RCLONE_CONFIG_HOLDFAST_PASSWORD=/);
    assert.ok(!environment.includes(password), 'even there it is obscured');
    for (const entry of await readdir(directory.path, { recursive: true, withFileTypes: true })) {
      const text = entry.isFile() ? await readFile(join(entry.parentPath, entry.name), 'latin1') : entry.name;
      assert.ok(!text.includes(password) && !text.includes('plain text'), entry.name);
    }
    await backend.close();
  });

  it('shows no secret when the remote cannot be reached', async () => {
    const secrets = { option_pass: 'hunter2-is-secret', option_bearer_token: 'bearer-is-secret' };
    const config = { remote_type: 'webdav', option_url: 'http://user:hunter2-is-secret@127.0.0.1:9/' };
    const backend = rcloneKind.open(rcloneKind.validate({ config, secrets }));
    const error = await backend.health(soon()).catch((thrown: unknown) => thrown);
    assert.ok(error instanceof HoldfastError && error.kind === 'unavailable', String(error));
    const shown = `${error.message}${JSON.stringify(error.details)}`;
    for (const secret of Object.values(secrets)) assert.ok(!shown.includes(secret), shown);
    await backend.close();
  });

  it('says how to install rclone where it is missing', async () => {
    await using directory = await temporaryDirectory();
    const backend = open({}, directory.path);
    await assert.rejects(backend.health(soon()), isKind('unavailable', /not installed.*apt-get install rclone/));
    await backend.close();
  });

  it('says that rclone is too old', async () => {
    await using directory = await temporaryDirectory();
    await fakeRclone(directory.path, `exec node -e '${oldRclone}' "$@"`);
    const backend = open({}, directory.path);
    await assert.rejects(backend.health(soon()), isKind('unavailable', /v1\.53\.3.* too old.*1\.60/));
    await backend.close();
  });

  it('says which type or option rclone does not know', async () => {
    const unknowns: readonly (readonly [Record<string, string>, RegExp])[] = [
      [{ remote_type: 'teapot' }, /no remotes of type teapot/],
      [{ remote_type: 's3', option_teapot: 'x' }, /no option teapot of remotes of type s3/],
    ];
    for (const [config, words] of unknowns) {
      const backend = rcloneKind.open(rcloneKind.validate({ config, secrets: {} }));
      await assert.rejects(backend.health(soon()), isKind('backend', words));
      await backend.close();
    }
  });

  it('says that a directory is not there', async () => {
    const config = { remote_type: 'local', remote_path: '/nonexistent/of-holdfast' };
    const backend = rcloneKind.open(rcloneKind.validate({ config, secrets: {} }));
    await assert.rejects(backend.health(soon()), isKind('backend', /no directory/));
    await backend.close();
  });

  const wrong: readonly (readonly [string, Record<string, string>, Record<string, string>])[] = [
    ['remote_type', {}, {}],
    ['remote_type', { remote_type: 'a:b' }, {}],
    ['path', { remote_type: 'local', path: '/' }, {}],
    ['password', { remote_type: 'local' }, { password: 'x' }],
    ['option_pass', { remote_type: 'sftp', option_pass: 'x' }, { option_pass: 'x' }],
    ['option_ssh', { remote_type: 'sftp', option_ssh: 'touch /tmp/x' }, {}],
    ['option_bearer_token_command', { remote_type: 'webdav' }, { option_bearer_token_command: 'id' }],
    ['option_remote', { remote_type: 'alias', option_remote: ':webdav,bearer_token_command=id:' }, {}],
    ['connections_max', { remote_type: 'local', connections_max: '0' }, {}],
  ];
  for (const [field, config, secrets] of wrong) {
    it(`refuses ${JSON.stringify({ ...config, ...secrets })}, naming ${field}`, () => {
      assert.throws(
        () => rcloneKind.validate({ config, secrets }),
        (error) => error instanceof HoldfastError && error.kind === 'invalid' && error.details['field'] === field,
      );
    });
  }
});

/** Answers as an rclone of 2020: it has no more to say than its version. */
const oldRclone = [
  'const [verb] = process.argv.slice(1);',
  'if (verb === "config") { console.log(JSON.stringify([{Name:"local",Options:[]}])); process.exit(); }',
  'const answer = (request, response) => response.end(JSON.stringify({version:"v1.53.3",decomposed:[1,53,3]}));',
  'for (const name of ["restic REST API", "remote control"]) {',
  '  const server = require("http").createServer(answer).listen(0, "127.0.0.1", () => {',
  '    console.error(JSON.stringify({msg:"Serving " + name + " on http://127.0.0.1:" + server.address().port + "/"}));',
  '  });',
  '}',
].join('\n');

async function fakeRclone(directory: string, script: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'rclone'), `#!/bin/sh\nPATH=${process.env['PATH'] ?? ''}\n${script}\n`);
  await chmod(join(directory, 'rclone'), 0o755);
}

/** A backend that finds its rclone in this folder only. */
function open(config: Record<string, string>, folder: string): ObjectBackend {
  const settings = rcloneKind.validate({ config: { remote_type: 'local', ...config }, secrets: {} });
  return openRclone(readRclone(settings), { PATH: folder });
}

function isKind(kind: string, words: RegExp) {
  return (error: unknown): boolean => {
    if (error instanceof HoldfastError && error.kind === kind && words.test(error.message)) return true;
    throw new Error(`expected ${kind} ${words}`, { cause: error });
  };
}

function soon(): AbortSignal {
  return AbortSignal.timeout(60_000);
}
