import { writeFile } from 'node:fs/promises';
import { endpoints } from '../src/contract.ts';
import { openApiDocument } from '../src/kernel/http/openapi.ts';
import { version } from '../src/version.ts';

// The document is kept in the repository, so that a change of the API is seen in its diff.
await writeFile(
  new URL('../openapi.json', import.meta.url),
  `${JSON.stringify(openApiDocument(endpoints, version), null, 2)}\n`,
);
