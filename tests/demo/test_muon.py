import pytest

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("shape", [(3, 16, 24), (2, 24, 16)])
def test_singular_values_come_near_one(shape):
    from demo_training.muon import orthogonalised

    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonalised(matrices))
    assert values.min() > 0.5
    assert values.max() < 1.4


def test_it_finds_a_linear_map():
    from demo_training.muon import Muon

    made = torch.Generator().manual_seed(0)
    wanted, inputs = (
        torch.randn(8, 12, generator=made),
        torch.randn(64, 12, generator=made),
    )
    found = torch.nn.Parameter(torch.zeros(8, 12))
    optimizer = Muon([found], lr=0.1)
    losses = []
    for step in range(200):
        optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 200)
        optimizer.zero_grad()
        loss = (inputs @ (found - wanted).T).pow(2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.01 * losses[0]
