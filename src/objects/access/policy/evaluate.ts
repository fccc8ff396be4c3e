import type { Patterns, Policy, PolicyRequest, Statement } from './policy.ts';
import { matchesWildcard } from './wildcard.ts';

/**
 * What a policy says of a request: a statement that denies wins over every one that allows, in whatever order they stand,
 * and `none` is silence, so that ownership and grants decide
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html).
 */
export function evaluatePolicy(policy: Policy, request: PolicyRequest): 'allow' | 'deny' | 'none' {
  const action = request.action.toLowerCase();
  const { bucket, key } = request.resource;
  const resource = key === null ? bucket : `${bucket}/${key}`;
  let outcome: 'allow' | 'none' = 'none';
  for (const statement of policy.statements) {
    if (outcome === 'allow' && statement.effect === 'Allow') continue;
    if (!applies(statement, request, action, resource)) continue;
    if (statement.effect === 'Deny') return 'deny';
    outcome = 'allow';
  }
  return outcome;
}

function applies(statement: Statement, request: PolicyRequest, action: string, resource: string): boolean {
  const { principals, actions, resources, conditions } = statement;
  if (principals !== 'everyone') {
    if (request.principal === null || !principals.includes(request.principal.name)) return false;
  }
  if (!matchesPatterns(actions, action) || !matchesPatterns(resources, resource)) return false;
  return conditions.every(({ key, holds }) => holds(valueOf(request.context, key)));
}

function matchesPatterns({ isNot, patterns }: Patterns, text: string): boolean {
  return patterns.some((pattern) => matchesWildcard(pattern, text)) !== isNot;
}

/** A context is a plain object, whose prototype has names that no request gave. */
function valueOf(context: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(context, key) ? context[key] : undefined;
}
