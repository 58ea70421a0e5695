// The roles and functions of a stack serve the account that they are in: a service that acts for another account is refused, whatever
// ARNs that account has guessed (the confused deputy). By an aspect, so that roles that the library makes are held to it too.
import { Aspects, Aws, CfnResource, type Stack } from 'aws-cdk-lib';

/** What a statement that trusts a service says. */
export const ownAccount = { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } };

/** Adds the condition to each role of the stack, whose trust is one statement, and to each permission to invoke a function. */
export function trustOwnAccountOnly(stack: Stack): void {
  Aspects.of(stack).add({
    visit: (node) => {
      if (!CfnResource.isCfnResource(node)) return;
      if (node.cfnResourceType === 'AWS::IAM::Role') {
        node.addPropertyOverride('AssumeRolePolicyDocument.Statement.0.Condition', ownAccount);
      }
      if (node.cfnResourceType === 'AWS::Lambda::Permission') node.addPropertyOverride('SourceAccount', Aws.ACCOUNT_ID);
    },
  });
}
