import { spawn } from 'node:child_process';
import { globSync } from 'node:fs';
import { apacheMissing } from './apache.ts';
import { cephAvailable } from './ceph.ts';
import { postgresMissing } from './postgres.ts';
import { radosgwAvailable } from './radosgw.ts';
import { rcloneMissing } from './rclone.ts';

/**
 * `npm test`: every test that this machine can run, all files in one process (the loader then works once), and a word on
 * what was left out. Arguments choose files.
 */
const patterns = process.argv.slice(2).length > 0 ? process.argv.slice(2) : ['src/**/*.test.ts', 'test/**/*.test.ts'];
const files = globSync(patterns).toSorted();
const missing = [await postgresMissing(), cephAvailable(), radosgwAvailable(), apacheMissing(), rcloneMissing()];
const leftOut = missing.filter((sentence) => sentence !== null);
const isRequired = process.env['HOLDFAST_REQUIRE_REAL'] === '1';

for (const sentence of leftOut) console.log(isRequired ? `missing: ${sentence}` : `left out: ${sentence}`);
if (isRequired && leftOut.length > 0) {
  console.log('HOLDFAST_REQUIRE_REAL=1 makes a missing real system a failure.');
  process.exit(1);
}

const args = [
  '--test',
  '--test-isolation=none',
  '--test-force-exit',
  '--test-timeout=240000',
  '--no-warnings',
  ...files,
];
const child = spawn(process.execPath, args, { stdio: 'inherit' });
child.on('exit', (code, signal) => {
  for (const sentence of leftOut) console.log(`left out: ${sentence}`);
  process.exit(code ?? (signal === null ? 0 : 1));
});
