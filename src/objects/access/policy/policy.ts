import type { Condition } from './conditions.ts';

/**
 * A bucket policy, read and checked
 * (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html).
 */
export interface Policy {
  readonly version: '2012-10-17' | '2008-10-17';
  readonly id?: string;
  readonly statements: readonly Statement[];
}

export interface Statement {
  readonly sid?: string;
  readonly effect: 'Allow' | 'Deny';
  /** Names of users; `everyone` includes requests without a signature. */
  readonly principals: 'everyone' | readonly string[];
  /** In lower case, since actions are compared without regard to it. */
  readonly actions: Patterns;
  /** Without `arn:aws:s3:::`: the bucket, or the bucket, a slash and a key. */
  readonly resources: Patterns;
  /** All must hold. */
  readonly conditions: readonly Condition[];
}

/** What one of the patterns matches, or what none of them does. */
export interface Patterns {
  readonly isNot: boolean;
  readonly patterns: readonly string[];
}

/** What a policy is asked about. */
export interface PolicyRequest {
  /** `null` for a request without a signature. */
  readonly principal: { readonly name: string } | null;
  /** Such as `s3:GetObject`. */
  readonly action: string;
  readonly resource: { readonly bucket: string; readonly key: string | null };
  /** By the names that `policyContext` gives. */
  readonly context: Readonly<Record<string, string>>;
}
