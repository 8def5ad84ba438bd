/** Shell completion: `eigenstep complete bash|zsh|fish|powershell` prints the script that a shell sources; verbs, options and presets. */
import tab from "@bomb.sh/tab/commander";
import type { Command } from "commander";

/** Adds the verb `complete` to a program whose verbs are all there. */
export function addCompletion(program: Command, presets: readonly string[]): void {
  const completion = tab(program);
  for (const verb of ["train", "plan", "views"]) {
    const preset = completion.commands.get(verb)?.arguments.get("preset");
    if (!preset) continue;
    preset.handler = (complete) => {
      for (const name of presets) complete(name, "preset");
    };
  }
}

export const COMPLETION_HELP = `
Examples:
  source <(eigenstep complete bash)                      completion in this shell; put the line into ~/.bashrc
  source <(eigenstep complete zsh)                       the same for zsh, in ~/.zshrc
  eigenstep complete fish > ~/.config/fish/completions/eigenstep.fish`;
