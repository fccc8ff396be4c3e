import { filesystemRig } from './rigs.ts';
import { s3Acceptance } from './suite.ts';

s3Acceptance('a directory', filesystemRig);
