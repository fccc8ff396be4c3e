import { cephRig, whereCephIs } from './rigs.ts';
import { standardTests } from './standard-tests.ts';

whereCephIs('on a real Ceph', () => standardTests('ceph', cephRig));
