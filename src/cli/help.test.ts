import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Command } from 'commander';
import { registerBackendCommands } from './backend.ts';
import { registerBucketCommands } from './bucket.ts';
import { registerEncryptionCommands } from './encryption.ts';
import { registerGatewayCommands } from './gateway.ts';
import { registerKeeperCommands } from './keeper.ts';
import { registerKeyCommands } from './key.ts';
import { registerMigrationCommands } from './migration.ts';
import { registerQuotaCommands } from './quota.ts';
import { registerObjectCommands } from './object/commands.ts';

const groups = {
  backend: registerBackendCommands,
  bucket: registerBucketCommands,
  object: registerObjectCommands,
  key: registerKeyCommands,
  gateway: registerGatewayCommands,
  keeper: registerKeeperCommands,
  migration: registerMigrationCommands,
  encryption: registerEncryptionCommands,
  quota: registerQuotaCommands,
};

/** What somebody reads who asks for help. */
function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => (text += part) });
  command.outputHelp();
  return text;
}

describe('the help of commands about objects', () => {
  for (const [name, register] of Object.entries(groups)) {
    const program = new Command('holdfast').option('--json').exitOverride();
    const group = program.command(name);
    register(group);
    for (const command of group.commands) {
      test(`says what "${name} ${command.name()}" does, with an example that it takes`, () => {
        assert.notEqual(command.description(), '');
        for (const { flags, description } of command.options) assert.ok(description, `${flags} says nothing`);
        const help = helpOf(command);
        const examples = [...help.matchAll(/^ {2}holdfast (.+)$/gm)].map(([, line]) => line!.split(' '));
        assert.ok(examples.length > 0, help);
        for (const words of examples) {
          const end = words.findIndex((word) => word === '|' || word === '<');
          let taken = 0;
          command.action(() => void taken++);
          program.parse(end < 0 ? words : words.slice(0, end), { from: 'user' });
          assert.equal(taken, 1, words.join(' '));
        }
      });
    }
  }
});
