"""What `cost` prints: amounts, what was not measured, and whose seconds they are."""

from tests.cli.conftest import Run, World


def test_what_is_not_measured_is_named_and_a_laptop_says_so(run: Run, world: World) -> None:
    world.aws.s3.put_object(Bucket=world.bucket, Key="validated/parcels/b/data.parquet", Body=b"x" * 4096)
    found = run("cost", "parcels", "--since", "2h")

    assert found.code == 0
    assert "parcels, the last 0.0833 days" in found.out
    assert "GB-s not measured" in found.out
    assert "A thousand predictions: not measured." in found.out
    assert "These are seconds of this machine at AWS's prices, not a bill." in found.out
    assert "train: vcpu seconds" in found.out


def test_scripts_get_nulls_for_what_is_not_measured_and_the_prices_with_their_sources(run: Run, world: World) -> None:
    (found,) = run("cost", "--json").json
    train = next(one for one in found["stages"] if one["stage"] == "train")

    assert (found["product"], found["laptop"], found["per_thousand"]) == (world.product, True, None)
    assert (train["vcpu_seconds"], train["stored_gb"], train["dollars"]) == (None, 0.0, 0.0)
    assert "train: vcpu seconds" in found["unknown"]
    assert set(found["prices"]["sources"]) == set(found["prices"]["dollars"])
    assert found["always_on"] > 0


def test_a_time_that_is_none_is_refused(run: Run, world: World) -> None:
    assert run("cost", world.product, "--since", "soon").code == 2
    assert "--since '0s' is no time at all" in run("cost", world.product, "--since", "0s").err
