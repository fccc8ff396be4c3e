import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { it } from 'node:test';
import { endpoints } from '../src/contract.ts';
import { openApiDocument } from '../src/kernel/http/openapi.ts';
import { version } from '../src/version.ts';

it('openapi.json is the document of the contract; "npm run openapi" writes it', async () => {
  const written: unknown = JSON.parse(await readFile(new URL('../openapi.json', import.meta.url), 'utf8'));
  assert.deepEqual(written, JSON.parse(JSON.stringify(openApiDocument(endpoints, version))));
});
