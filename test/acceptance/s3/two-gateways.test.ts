import { twoGatewaysRig } from './rigs.ts';
import { s3Acceptance } from './suite.ts';

s3Acceptance('two gateways with one PostgreSQL', twoGatewaysRig);
