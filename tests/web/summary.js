/* summary.js - a reporter: a line for every test, what failed in full, and the sum. */
export default async function* summary(events) {
  let passed = 0, failed = 0;
  for await (const { type, data } of events) {
    if (type === "test:stdout" || type === "test:stderr") yield data.message;
    const isFile = data?.name?.endsWith(".js") && data.nesting === 0;
    if (type === "test:pass" && !isFile) {
      passed++;
      yield `ok    ${data.name}\n`;
    }
    if (type === "test:fail" && !(isFile && data.details.error.failureType === "subtestsFailed")) {
      failed++;
      yield `FAIL  ${data.name}\n${data.details.error.cause?.stack ?? data.details.error}\n`;
    }
  }
  yield `${passed} passed, ${failed} failed\n`;
}
