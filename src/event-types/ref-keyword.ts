import { _, type CodeKeywordDefinition, type KeywordCxt as Context, Name, nil } from 'ajv/dist/2020.js';
import { resolveRef, SchemaEnv } from 'ajv/dist/compile/index.js';
import { callValidateCode } from 'ajv/dist/vocabularies/code.js';
import { getValidate } from 'ajv/dist/vocabularies/core/ref.js';

/** What ajv calls these in the code that it makes. */
const vErrors = new Name('vErrors');
const errors = new Name('errors');

/**
 * Replaces ajv's `$ref`, which copies all errors so far whenever one fails, so that its time grows with the square of their number; this
 * one adds only the new ones. It refers only to `$defs` of the same schema, and ignores `unevaluatedProperties`: `readSchema` accepts
 * nothing else.
 */
export const refKeyword: CodeKeywordDefinition = {
  keyword: '$ref',
  schemaType: 'string',
  code(cxt) {
    const { schemaEnv, baseId, self } = cxt.it;
    const found = resolveRef.call(self, schemaEnv.root, baseId, cxt.schema);
    if (typeof found === 'boolean') {
      applyBoolean(cxt, found);
      return;
    }
    if (!(found instanceof SchemaEnv)) throw new Error(`The reference ${cxt.schema} leads nowhere.`);
    const validate = getValidate(cxt, found);
    cxt.result(callValidateCode(cxt, validate, nil), undefined, () => takeErrors(cxt, _`${validate}.errors`));
  },
};

/** A definition that is no more than `true` or `false` is not compiled by itself. */
function applyBoolean(cxt: Context, schema: boolean): void {
  const valid = cxt.gen.name('valid');
  const topSchemaRef = cxt.gen.scopeValue('schema', { ref: schema });
  cxt.subschema({ schema, dataTypes: [], schemaPath: nil, topSchemaRef, errSchemaPath: String(cxt.schema) }, valid);
  cxt.ok(valid);
}

function takeErrors({ gen }: Context, found: ReturnType<typeof _>): void {
  gen.if(
    _`${vErrors} === null`,
    () => gen.assign(vErrors, found),
    () => gen.code(_`for (const error of ${found}) ${vErrors}.push(error);`),
  );
  gen.assign(errors, _`${vErrors}.length`);
  // Otherwise the errors would be kept for as long as the validator.
  gen.assign(found, _`null`);
}
