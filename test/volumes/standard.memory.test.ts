import { memoryRig } from './rigs.ts';
import { standardTests } from './standard-tests.ts';

standardTests('memory', memoryRig);
