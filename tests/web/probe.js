/* probe.js - can a browser be started here?  Says why not, and exits with 69. */
import { Browser } from "./browser.js";

const browser = new Browser(null);
try {
  await browser.start();
  await browser.close();
} catch (error) {
  console.error(`test-web: no browser can be started here: ${error.message.split("\n")[0]}`);
  process.exit(69);
}
