import { fileRig } from './rigs.ts';
import { standardTests } from './standard-tests.ts';

standardTests('file', fileRig);
