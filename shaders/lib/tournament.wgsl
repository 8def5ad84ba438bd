// Round-robin (tournament) ordering: in each of players − 1 rounds slot s meets slot players − 1 − s, and over all rounds every two
// players meet once. An even number of players.

// Player at a slot in a round: slot 0 stays, the others move on by one each round.
fn player(slot: u32, round: u32, players: u32) -> u32 {
  if (slot == 0u) {
    return 0u;
  }
  return 1u + (slot - 1u + round) % (players - 1u);
}
