import type { HealthCheck } from '../../kernel/http/health.ts';
import type { ManagedRegistry } from './store-registry.ts';

/**
 * Whether this process can use its backends, as their calls tell: it asks none of them. The server is degraded without one,
 * since what has copies elsewhere is served all the same.
 */
export function backendsCheck(registry: ManagedRegistry): HealthCheck {
  return {
    name: 'object_backends',
    isVital: false,
    check: async () => {
      const wrong = registry.all.flatMap(({ name, problem, breaker }) => {
        if (problem !== null) return [`${name} cannot be opened: ${problem}`];
        return breaker.state === 'closed' ? [] : [`${name} does not work: ${breaker.reason ?? 'its calls fail'}`];
      });
      if (wrong.length > 0) throw new Error(wrong.join(' '));
      return `${registry.all.length} backends are in use.`;
    },
  };
}
