import { toErrorData } from '../../../kernel/errors/errors.ts';
import { MIB, at, newVolume } from '../conformance/suite.ts';
import { createFileBackend } from './file.ts';

// Makes an image larger than the limit under which it was started, and prints what the backend says of it.

const [directory = ''] = process.argv.slice(2);
try {
  await createFileBackend({ directory }).create(at(), newVolume({ sizeBytes: 8n * MIB }));
  console.log(JSON.stringify({ kind: 'ok', message: 'the image was made' }));
} catch (error) {
  console.log(JSON.stringify(toErrorData(error)));
}
