import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { type Command, CommanderError } from 'commander';
import { contract } from '../src/contract.ts';
import { createCommandLine } from '../src/main.ts';
import { testServer } from '../test/support/server.ts';
import { holdfastWords, shellCommands } from './shell-lines.ts';
import { parseSource, readSources, repositoryFiles, root } from './sources.ts';
import { toldEvents } from './told-events.ts';

const guide = read('docs/operating-objects.md');

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The names in the first column of the tables of a chapter. */
function namesIn(chapter: string, text = guide): string[] {
  const [, rest] = text.split(`\n## ${chapter}\n`);
  assert.ok(rest !== undefined, `there is no chapter "${chapter}"`);
  const [body] = rest.split('\n## ');
  const rows = body!.match(/^\| `[^|]*/gm) ?? [];
  return rows.flatMap((row) => [...row.matchAll(/`([^`]+)`/g)].map(([, name]) => name!));
}

/** Commander's whole tree; each command counts and does nothing. */
async function commandLine(): Promise<{ parse(words: readonly string[]): void }> {
  const { program, groups } = createCommandLine(false);
  for (const fill of Object.values(groups)) await fill();
  let taken = 0;
  let complaint = '';
  const quiet = (command: Command) => {
    command.configureOutput({ writeErr: (text) => (complaint += text), writeOut: () => {} });
    command.showHelpAfterError(false);
    if (command.commands.length === 0) command.action(() => void taken++);
    command.commands.forEach(quiet);
  };
  quiet(program);
  return {
    parse: (words) => {
      taken = 0;
      complaint = '';
      try {
        program.parse(words, { from: 'user' });
      } catch (error) {
        // Asked for help, and given it.
        if (error instanceof CommanderError && error.exitCode === 0) return;
        throw new Error(`holdfast ${words.join(' ')}: ${complaint}`, { cause: error });
      }
      assert.equal(taken, 1, words.join(' '));
    },
  };
}

describe('the guide for operators', () => {
  test('has each metric that the server registers, with its kind, and no other', async () => {
    await using server = await testServer();
    const text = await (await fetch(`${server.url}/metrics`)).text();
    const kinds = new Map([...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, kind]) => [name!, kind!]));
    assert.ok(kinds.size > 20);
    assert.deepEqual(namesIn('Every metric').toSorted(), [...kinds.keys()].toSorted());
    for (const [name, kind] of kinds) {
      const row = guide.split('\n').find((line) => line.startsWith('|') && line.includes(`\`${name}\``))!;
      assert.equal(row.split('|')[2]!.trim(), kind, name);
    }
  });

  test('has each keeper of objects, and no other', async () => {
    // Some are there only with root keys.
    await using server = await testServer({ 'encryption-keys': `k=${Buffer.alloc(32).toString('base64')}` });
    const { items } = await server.client.call(contract.listKeepers);
    const names = items.map(({ name }) => name).filter((name) => name.startsWith('object-'));
    assert.deepEqual(namesIn('What you have').toSorted(), names.toSorted());
    const planless = items.filter((one) => !one.has_plan).map(({ name }) => name);
    assert.deepEqual(planless.toSorted(), ['export-keeper', 'host-watcher', 'object-rebuild']);
  });

  test('has each finding of the check, and no other', () => {
    const kinds = read('src/objects/checking/report.ts').match(/(?<=^ {2}\| ')\w+/gm) ?? [];
    assert.ok(kinds.length > 5);
    assert.deepEqual(namesIn('Look after it').toSorted(), kinds.toSorted());
  });

  test('has each type of event that the code can write, and no other', () => {
    const { types, unknown } = toldEvents(readSources('src'));
    assert.deepEqual(unknown, [], 'say in told-events.ts what these can be');
    assert.deepEqual(namesIn('Every event').toSorted(), types);
  });

  test('has a working table of contents', () => {
    const chapters = [...guide.matchAll(/^#{2,} (.*)$/gm)].map(([, title]) =>
      title!
        .toLowerCase()
        .replaceAll(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    );
    const links = [...guide.matchAll(/\]\(#([^)]*)\)/g)].map(([, anchor]) => anchor!);
    assert.ok(links.length > 0);
    assert.deepEqual(
      links.filter((anchor) => !chapters.includes(anchor)),
      [],
    );
  });
});

describe('commands in texts', () => {
  const texts = repositoryFiles().filter((path) => path === 'README.md' || /^docs\/.*\.md$/.test(path));

  for (const path of texts) {
    test(`of ${path} are taken by the command line`, async () => {
      const { parse } = await commandLine();
      let parsed = 0;
      for (const command of shellCommands(read(path))) {
        const words = holdfastWords(command);
        if (words === null) continue;
        parse(words);
        parsed++;
      }
      assert.ok(parsed > 0);
    });

    test(`that ${path} mentions in a sentence exist`, async () => {
      const { program, groups } = createCommandLine(false);
      for (const fill of Object.values(groups)) await fill();
      const mentioned = [
        ...read(path)
          .replaceAll(/^```.*?^```/gms, '')
          .matchAll(/`(?:npx )?holdfast ([^`]*)`/g),
      ];
      assert.ok(mentioned.length > 0);
      for (const [, text] of mentioned) {
        let at: Command = program;
        for (const word of text!.split(/\s+/)) {
          if (at.commands.length === 0 || /^[-…<]/.test(word)) break;
          const next = at.commands.find((one) => one.name() === word);
          assert.ok(next !== undefined, `holdfast ${text}: there is no "${word}"`);
          at = next;
        }
      }
    });
  }
});

describe('what keeps the guide true', () => {
  test('sees types of events, however they are written', () => {
    const text = `
      type Kind = 'thing.unrelated';
      function note(tx: Tx, type: 'made' | 'gone') { return appendEvent(tx, { type: \`thing.\${type}\` }); }
      function tell(tx: Tx, done: boolean) { return appendEvent(tx, { type: done ? 'thing.done' : 'thing.failed' }); }
      start({ kind: 'thing.start', name: 'thing.start' });`;
    const told = toldEvents([parseSource('src/a.ts', text), parseSource('src/b.ts', `write('thing.late', 'x.other')`)]);
    const types = ['thing.done', 'thing.failed', 'thing.gone', 'thing.late', 'thing.made', 'thing.unrelated'];
    assert.deepEqual(told, { types, unknown: [] });
    const computed = parseSource('src/a.ts', 'appendEvent(tx, { type: `thing.${other}` });');
    assert.deepEqual(toldEvents([computed]), { types: [], unknown: ['src/a.ts:1: thing.${other}'] });
  });

  test('reads commands as a shell does', () => {
    const text = [
      'Text',
      '```js',
      'holdfast(no)',
      '```',
      '```sh',
      '# none',
      `A=1 B=$(x y) npx holdfast a 'b c' "d e" <id of a thing> \\`,
      '  --f=g   # comment',
      'x | y && holdfast z#1 > file',
      '```',
      '`holdfast not`',
    ].join('\n');
    const commands = shellCommands(text);
    assert.equal(commands.length, 5);
    const words = commands.map(holdfastWords).filter((one) => one !== null);
    assert.deepEqual(words, [['a', 'b c', 'd e', '<id of a thing>', '--f=g'], ['z#1']]);
  });

  test('refuses commands that the command line does not take', async () => {
    const { parse } = await commandLine();
    parse(['backend', 'list']);
    for (const words of ['backend list --nope', 'backend list more', 'backend', 'no-such', 'migrate sideways']) {
      assert.throws(() => parse(words.split(' ')), words);
    }
  });

  test('finds the names in tables', () => {
    const text = '\n## One\n\n| a | b |\n| --- | --- |\n| `x`, `y` | `no` |\n\n## Two\n| `z` | |\n';
    assert.deepEqual(namesIn('One', text), ['x', 'y']);
  });
});
