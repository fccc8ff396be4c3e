import { withQemu } from '../../src/volumes/exports/nbd/testkit.ts';
import { fileRig } from './rigs.ts';
import { exportScenarios } from './scenarios-exports.ts';
import { standardTests } from './standard-tests.ts';

withQemu('volumes on files, exported over NBD', () => standardTests('file', fileRig, exportScenarios));
