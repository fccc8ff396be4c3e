import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '../../../../test/support/temp.ts';
import { exportConformance } from '../target.conformance.ts';
import { createNbdTarget } from './nbd.ts';
import { anyPorts, nbdHarness, newFile, withQemu } from './testkit.ts';

withQemu('nbd on files', () => {
  exportConformance('nbd on files', async () => {
    const temporary = await temporaryDirectory();
    // Characters that mean something to QEMU's own syntax are only characters in a path.
    const directory = join(temporary.path, 'with a space, a comma: "json:{}" and é');
    await mkdir(directory);
    const target = createNbdTarget({ ports: anyPorts, runDirectory: temporary.path });
    return nbdHarness(
      target,
      (sizeBytes) => newFile(directory, sizeBytes),
      async () => temporary[Symbol.asyncDispose](),
    );
  });
});
