import type { S3Command } from '../command.ts';
import { uploadForm } from '../post-form/upload.ts';

/** The upload by form; what it may do is known only when its fields are read. */
export const postObject: S3Command = {
  name: 'PostObject',
  method: 'POST',
  resource: 'bucket',
  selectedBy: [],
  alsoTakes: [],
  action: null,
  handle: uploadForm,
};
