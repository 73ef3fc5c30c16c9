import { dom } from "../dom.js";
import { serverCopy } from "../morph/server-copy.js";
import { copyResponse, copySwap } from "./copied-swaps.js";
import { morphStyleOf } from "./swap-spec.js";

/** @typedef {{ target: Element | null, fragment: DocumentFragment, swapSpec: { style: string, strip?: boolean } }} Task */

/** The swaps of htmx 4. Those that bring what was published are swapped into the copy of what the server said, too. */
export class CopiedTasks {
  /** What identifies a stream's swaps. @type {WeakSet<object>} */
  #contexts = new WeakSet();
  /** What is left to do when a task has been swapped. @type {WeakMap<Task, () => void>} */
  #rests = new WeakMap();

  /** @param {object} context whose swaps bring what was published */
  add(context) {
    this.#contexts.add(context);
  }

  /**
   * @param {object} context
   * @param {Task[]} tasks
   */
  copy(context, tasks) {
    for (const task of tasks)
      if (isFromHistory(task)) this.#rests.set(task, () => serverCopy.take());
      else if (this.#contexts.has(context) || isPage(task)) this.#copyTask(task);
      else copyResponse(contentOf(task));
  }

  /** @param {Task} task */
  finish(task) {
    this.#rests.get(task)?.();
    this.#rests.delete(task);
  }

  /** @param {Task} task */
  #copyTask(task) {
    const { target, swapSpec } = task;
    const { style } = swapSpec;
    if (!(target instanceof Element)) return;
    const nodes = contentOf(task);
    const morphStyle = morphStyleOf(style);
    const changesInPlace = morphStyle !== undefined || style === "textContent";
    copySwap(morphStyle ?? style, target, nodes);
    if (changesInPlace) this.#rests.set(task, pairing(target, morphStyle === "outerHTML" ? nodes : null));
  }
}

/**
 * Return what pairs a target with its copy when it has been changed in place.
 *
 * @param {Element} target
 * @param {Node[] | null} nodes what has replaced the copy of the target itself
 */
function pairing(target, nodes) {
  const element = nodes?.find((node) => dom(node).nodeName === dom(target).nodeName);
  const copy = serverCopy.of(element ?? target);
  return () => copy && serverCopy.pair(copy, target);
}

/**
 * Tell whether a task shows another page, as a boosted link does: from now on, the server says that one.
 *
 * @param {Task} task
 */
function isPage({ target }) {
  return target === dom(document).body;
}

/** @param {Task} task */
function isFromHistory(task) {
  return isPage(task) && task.swapSpec.style === "outerSync";
}

/** @param {Task} task */
function contentOf({ fragment, swapSpec }) {
  const [wrapper] = dom(fragment).children;
  if (!swapSpec.strip || !wrapper) return [...dom(fragment).childNodes];
  return [...(wrapper instanceof HTMLTemplateElement ? wrapper.content : wrapper).childNodes];
}
