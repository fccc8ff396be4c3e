import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temp.ts';
import { HoldfastError } from '../../kernel/errors/errors.ts';
import { type RootKeySettings, loadRootKeys } from './load-root-keys.ts';

const none: RootKeySettings = {
  encryptionKeys: [],
  encryptionKeyFiles: [],
  encryptionVaultKeys: [],
  encryptionCurrentKey: undefined,
  vaultAddr: undefined,
  vaultTokenFile: undefined,
  vaultCaFile: undefined,
  vaultTransitMount: 'transit',
};
const text = randomBytes(32).toString('base64');

function refused(settings: Partial<RootKeySettings>, pattern: RegExp): void {
  assert.throws(
    () => loadRootKeys({ ...none, ...settings }),
    (error) => {
      assert.ok(error instanceof HoldfastError);
      assert.equal(error.kind, 'invalid');
      assert.match(error.message, pattern);
      assert.match(error.message, /^[A-Z][^\n]*\.$/);
      assert.ok(!error.message.includes(text.slice(0, 12)), 'quotes nothing of a key');
      return true;
    },
  );
}

describe('root keys', () => {
  test('come from the environment, from files and from Vault at once, and one of them is current', async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, 'key');
    await writeFile(file, `${text}\n`);
    const keys = loadRootKeys({
      ...none,
      encryptionKeys: [`old=${text}`],
      encryptionKeyFiles: [`new=${file}`],
      encryptionVaultKeys: ['far=objects'],
      vaultAddr: 'http://127.0.0.1:8200',
      vaultTokenFile: join(directory.path, 'token'),
      encryptionCurrentKey: 'new',
    });
    assert.deepEqual([...keys!.byId.keys()], ['old', 'new', 'far']);
    assert.equal(keys!.current.id, 'new');
    const kek = randomBytes(32);
    const wrapped = await keys!.current.wrap(kek, 'kek-1');
    assert.deepEqual(await keys!.current.unwrap(wrapped, 'kek-1'), kek);
    await assert.rejects(
      keys!.byId.get('old')!.unwrap(wrapped, 'kek-1'),
      /the root key old .* is not the one that wrapped/,
    );
    await assert.rejects(keys!.current.unwrap(wrapped, 'kek-2'), /is not the one that wrapped/);
  });

  test('may be none', () => {
    assert.equal(loadRootKeys(none), null);
  });

  test('failure 12: that cannot be used are refused, and there is no second choice', async () => {
    await using directory = await temporaryDirectory();
    const wrong = join(directory.path, 'wrong');
    await writeFile(wrong, text.slice(0, -6));
    refused({ encryptionKeys: [`a=${text.slice(0, -5)}`] }, /root key a of ENCRYPTION_KEYS is not 32 bytes/);
    refused({ encryptionKeys: [text] }, /must be id=value|is not 32 bytes/);
    refused({ encryptionKeys: [`a/b=${text}`] }, /must be id=value/);
    refused({ encryptionKeys: ['a='] }, /must be id=value/);
    refused({ encryptionKeyFiles: [`a=${join(directory.path, 'absent')}`] }, /does not exist/);
    refused({ encryptionKeyFiles: [`a=${directory.path}`] }, /cannot be read/);
    refused({ encryptionKeyFiles: [`a=${wrong}`] }, /does not hold 32 bytes/);
    refused({ encryptionKeys: [`a=${text}`, `a=${text}`] }, /Two root keys have the id a/);
    refused({ encryptionKeys: [`a=${text}`, `b=${text}`] }, /say with ENCRYPTION_CURRENT_KEY which is current/);
    refused({ encryptionKeys: [`a=${text}`], encryptionCurrentKey: 'b' }, /no root key with the id b/);
    refused({ encryptionCurrentKey: 'b' }, /there are no root keys/);
    refused({ encryptionVaultKeys: ['a=k'] }, /VAULT_ADDR is not the address/);
    refused({ encryptionVaultKeys: ['a=k'], vaultAddr: 'ftp://x', vaultTokenFile: wrong }, /VAULT_ADDR is not/);
    refused({ encryptionVaultKeys: ['a=k'], vaultAddr: 'http://x' }, /VAULT_TOKEN_FILE does not say/);
    const ca = { vaultAddr: 'https://x', vaultTokenFile: wrong, vaultCaFile: join(directory.path, 'ca') };
    refused({ encryptionVaultKeys: ['a=k'], ...ca }, /ca cannot be read/);
  });
});
